"""Advice: an answer to a review, drafted by OpenAI, and what became of the asking."""
