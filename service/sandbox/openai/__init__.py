"""OpenAI, as the sandbox knows it."""
