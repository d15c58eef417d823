"""Clients of external services: marketplaces, OpenAI, Telegram."""
