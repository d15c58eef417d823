"""The fake Telegram, and the page that shows its messages."""
