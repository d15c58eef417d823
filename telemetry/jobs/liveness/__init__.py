"""Heartbeats of running runs, and the detection of runs whose process ended without finishing them."""
