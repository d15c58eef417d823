"""Wildberries, as the sandbox knows it."""
