"""The fake Ozon."""
