"""Channels: the ways by which a notification leaves, and their rate limits."""
