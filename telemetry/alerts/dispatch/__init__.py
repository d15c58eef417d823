"""Dispatch: sends the notifications that are due, from one process of the machine at a time."""
