"""The fake Wildberries."""
