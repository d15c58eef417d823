"""Freshness: how old the data of each source is, what waits for an answer, and the alerts about both."""
