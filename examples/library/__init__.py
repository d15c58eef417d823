"""A library that lends books: a FastAPI service that is observed by `telemetry/`, and has nothing to do with reviews and orders."""
