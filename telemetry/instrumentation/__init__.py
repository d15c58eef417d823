"""Instrumentors in OpenTelemetry's form, for what the published packages don't emit, or not truly."""
