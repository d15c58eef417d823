"""The operator's console: pages on which requests, jobs, calls, alerts, traces and logs of a service are seen.

`mount(app)` adds it to an application, in one line. `ConsoleOptions` say what the telemetry cannot know of the application.
"""

from telemetry.console.job_control import JobControl, MissedRun, ScheduledJob
from telemetry.console.mounted_console import mount
from telemetry.console.notice import Notice
from telemetry.console.options import ConsoleOptions
from telemetry.console.page_definition import Action, ConsolePage, PageNotFound, Refused
from telemetry.console.parts import Part, read_part
from telemetry.console.view import View

__all__ = [
    "Action",
    "ConsoleOptions",
    "ConsolePage",
    "JobControl",
    "MissedRun",
    "Notice",
    "PageNotFound",
    "Part",
    "Refused",
    "ScheduledJob",
    "View",
    "mount",
    "read_part",
]
