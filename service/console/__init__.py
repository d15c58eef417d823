"""The operator's console, as this service mounts it, with what the telemetry cannot know of the service."""
