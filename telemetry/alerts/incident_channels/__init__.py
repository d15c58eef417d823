"""Channels that keep an incident under one key: open, update, acknowledge, resolve."""
