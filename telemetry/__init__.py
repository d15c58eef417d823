"""Telemetry for a FastAPI service: metrics, traces, logs, job runs and health, made from OpenTelemetry signals."""
