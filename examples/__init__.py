"""Examples of how the telemetry is used elsewhere."""
