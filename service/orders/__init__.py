"""Orders: kept as they were last read, and served."""
