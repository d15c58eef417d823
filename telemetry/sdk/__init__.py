"""The OpenTelemetry SDK's parts: resource, sampler, exporters and shutdown."""
