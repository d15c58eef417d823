"""The endpoints of the telemetry for any web application: a FastAPI router, and the metrics page as ASGI and WSGI applications."""
