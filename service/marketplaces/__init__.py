"""Marketplaces: the one HTTP client for calls out, and what Wildberries and Ozon say by it."""
