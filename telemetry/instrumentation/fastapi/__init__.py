"""The FastAPI instrumentation: one span and one duration for each HTTP server request."""
