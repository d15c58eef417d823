"""The pages of the console that need no name."""

CONSOLE_PAGES = tuple(
    f"/console{page}"
    for page in ("", "/requests", "/jobs", "/outside", "/alerts", "/traces", "/logs", "/reviews", "/telemetry")
)
