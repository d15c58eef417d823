"""Telegram, as the sandbox knows it, and the phone that shows its messages."""
