"""The jobs: what runs on a schedule."""
