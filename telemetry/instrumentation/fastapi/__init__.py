"""The FastAPI instrumentation: one span and one duration for each HTTP server request."""

from telemetry.instrumentation.fastapi.instrumentor import FastAPIInstrumentor

__all__ = ["FastAPIInstrumentor"]
