"""Metrics: cardinality limits, the mapping to Prometheus names, and the `/metrics` endpoint's content."""
