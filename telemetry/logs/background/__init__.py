"""Writes log records in threads of their own, so that no code that logs waits for a disk, a pipe or a lock for long."""
