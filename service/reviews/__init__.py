"""Reviews: kept as they were last read, and served with their advice."""
