"""The service: what sellers on Wildberries and Ozon run."""

import telemetry  # noqa: F401  # before FastAPI, which imports OpenTelemetry: a wrong OTEL_PROPAGATORS would end that

__version__ = "0.1.0"
