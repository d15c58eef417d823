"""The jobs of this service, and their schedule."""
