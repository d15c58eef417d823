"""OpenTelemetry distribution: `opentelemetry-instrument` starts the telemetry of an application that knows nothing of it."""
