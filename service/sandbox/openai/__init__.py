"""The fake OpenAI."""
