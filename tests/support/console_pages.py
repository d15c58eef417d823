"""The paths of the console in the service: `CONSOLE_PAGES` are the pages that need no name."""

CONSOLE_PAGES = tuple(
    f"/console{page}"
    for page in ("", "/requests", "/jobs", "/outside", "/alerts", "/traces", "/logs", "/reviews", "/telemetry")
)


def is_of_console(path: str) -> bool:
    """Whether a route of the service is a page of the console, or something that its pages need."""
    return path == "/console" or path.startswith("/console/")
