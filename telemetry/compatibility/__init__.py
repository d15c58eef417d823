"""Compatibility with other versions of OpenTelemetry: names that are private there, or that are not stable yet."""
