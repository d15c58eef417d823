"""What an application tells the console about itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telemetry.console.job_control import JobControl
from telemetry.console.notice import Notice
from telemetry.console.page_definition import ConsolePage
from telemetry.health.runner import HealthChecks


def _no_notices() -> Sequence[Notice]:
    return ()


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """What the telemetry cannot know of the application that it observes.

    Attributes:
        title: the service's name; by default the application's title.
        jobs: its schedule, and the control of it; None if jobs are only recorded.
        notices: what the operator should know; called for each page, in a worker thread, and must be quick.
        checks: the checks of its health, and the names of those that count; by default those of the telemetry.
        pages: its own pages.
    """

    title: str = ""
    jobs: JobControl | None = None
    notices: Callable[[], Sequence[Notice]] = _no_notices
    checks: HealthChecks | None = None
    check_names: Sequence[str] = ()
    pages: Sequence[ConsolePage] = ()
