"""Ozon."""
