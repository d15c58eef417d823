"""The database tables of job runs: reading, writing, daily roll-ups and pruning."""
