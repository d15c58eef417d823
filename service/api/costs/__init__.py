"""The endpoint of costs."""
