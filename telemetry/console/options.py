"""What an application tells the console about itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from telemetry.console.job_control import JobControl
from telemetry.console.page import Page
from telemetry.health.runner import HealthChecks

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence about the service as it is now, such as what is not configured.

    Attributes:
        label: one or two words in front of it, such as `NOT SET`.
        link: where to read more: a URL, or a path below the application's root; empty for none.
        is_banner: shown above every page, such as that of a sandbox; else in the list of what needs attention.
    """

    text: str
    level: Level = "warning"
    label: str = ""
    link: str = ""
    link_text: str = ""
    is_banner: bool = False


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
    pages: Sequence[Page] = ()
