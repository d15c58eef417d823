"""multiprocess."""
