"""HTTP: what is asked of the service, and how it answers."""
