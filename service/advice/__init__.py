"""Drafts of answers to reviews, written by OpenAI, and their outcomes."""
