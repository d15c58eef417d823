"""The service between a Prometheus and a Collector that are killed at random. `python -m tests.soak.stores --help`."""
