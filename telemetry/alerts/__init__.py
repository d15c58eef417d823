"""Alerts: what the operator has to know reaches their phone, once, readable, whatever is broken, and nothing else does."""
