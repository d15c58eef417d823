"""Instrumentors in OpenTelemetry's form, for signals that the published packages do not emit or do not emit correctly."""
