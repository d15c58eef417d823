"""Metrics of several worker processes: each writes snapshots, and any of them serves `/metrics` for all."""
