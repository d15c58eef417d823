"""Rules: conditions that are evaluated periodically and become alerts."""
