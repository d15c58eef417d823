"""Monitoring: which ticks came to nothing, and which runs go on for too long."""
