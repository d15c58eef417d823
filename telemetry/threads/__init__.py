"""Threads of the telemetry: how they start, and how they take work from callers that must not wait."""
