"""Checks of drafts before they can be published."""
