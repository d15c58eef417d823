"""Benchmarks: the cost of this project's telemetry beside that of the usual packages, from one run, as tables."""
