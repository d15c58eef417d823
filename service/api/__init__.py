"""The HTTP API: routes, schemas, authentication, middleware and probes."""
