"""Tools for developers and tests."""
