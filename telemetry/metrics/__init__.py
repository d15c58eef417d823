"""Metrics: limits on what is recorded, the table of names, and the page that Prometheus reads."""
