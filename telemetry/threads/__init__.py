"""Threads of the telemetry: how they start, how they take work from callers that must not wait, and what a fork means."""
