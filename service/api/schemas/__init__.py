"""The bodies and queries of the API, field by field."""
