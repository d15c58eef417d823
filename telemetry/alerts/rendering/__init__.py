"""Rendering: from incidents to the text of a message."""
