"""Ozon, as the sandbox knows it."""
