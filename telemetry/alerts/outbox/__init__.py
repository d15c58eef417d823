"""Outbox: the SQLite file of a machine's alerts, and the repositories on it."""
