"""The operator's console: pages on which requests, jobs, calls, alerts, traces and logs of a service are seen.

`mount(app)` adds it to an application, in one line. `ConsoleOptions` say what the telemetry cannot know of the application.
"""

from telemetry.console.job_control import JobControl, MissedRun, ScheduledJob
from telemetry.console.mount import mount
from telemetry.console.options import ConsoleOptions, Notice
from telemetry.console.page import Action, NotFound, Page, Refused
from telemetry.console.view import View

__all__ = [
    "Action",
    "ConsoleOptions",
    "JobControl",
    "MissedRun",
    "NotFound",
    "Notice",
    "Page",
    "Refused",
    "ScheduledJob",
    "View",
    "mount",
]
