"""Outgoing HTTP requests with bounds: a total deadline, a maximum size, and checked values from responses."""
