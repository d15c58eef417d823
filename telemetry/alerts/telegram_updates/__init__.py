"""Telegram's updates: the presses of buttons and the commands of operators, read by long polling."""
