"""Wildberries."""
