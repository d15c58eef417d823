"""Integrations: every service that is called."""
