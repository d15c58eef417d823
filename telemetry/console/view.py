"""One look at a page: the time, the window, the query's values, and the telemetry that is looked at."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from telemetry.build import Telemetry
from telemetry.console.firing_alerts import FiringAlerts
from telemetry.console.job_control import JobControl
from telemetry.console.notice import Notice
from telemetry.console.static_files import VERSION
from telemetry.console.windows import BY_KEY, DEFAULT_WINDOW, WINDOWS, Window
from telemetry.failsafe import failsafe
from telemetry.health.report import Report

T = TypeVar("T")
_MAX_VALUE: Final = 200
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_TRACE_ID: Final = re.compile(r"[0-9a-f]{1,32}")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ufffd]")
"""Control characters, and what has taken the place of those that are no characters."""
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|m|h|d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConsoleFrame:
    """What all looks at one mounted console share.

    Attributes:
        root: the path at which it is mounted, such as `/console`.
        navigation: title and path of each page that the navigation has.
        run_checks: the checks of the service's health.
    """

    root: str
    title: str
    navigation: Sequence[tuple[str, str]]
    jobs: JobControl | None
    read_notices: Callable[[], Sequence[Notice]]
    run_checks: Callable[[Telemetry], Awaitable[Report]]
    firing: FiringAlerts = field(default_factory=FiringAlerts)


@dataclass
class View:
    """A look at a page.

    Attributes:
        telemetry: of this process.
        now: seconds since 1970.
        params: the parameters of the path.
        form: the fields of the form, for an `Action`.
        by: who looks, for what is recorded of a change.
        notes: why values of the query are not used, by their names.
        shown_notes: the names of those that the page has beside their fields.
        heading: for the browser's tab, where the page's title does not say enough.
        default_window: of a page for which an hour is too short.
    """

    frame: ConsoleFrame
    telemetry: Telemetry
    query: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    mounted_at: str = ""
    by: str = "console"
    now: float = field(default_factory=time.time)
    notes: dict[str, str] = field(default_factory=dict)
    heading: str = ""
    default_window: Window = DEFAULT_WINDOW
    shown_notes: set[str] = field(default_factory=set)

    @property
    def jobs(self) -> JobControl | None:
        """The application's schedule; None if there is none."""
        return self.frame.jobs

    @property
    def window(self) -> Window:
        """The window of the query; where that names none, that of the page."""
        return BY_KEY[self.choice("window", tuple(BY_KEY), self.default_window.key)]

    @property
    def windows(self) -> Sequence[Window]:
        return WINDOWS

    @property
    def since(self) -> float:
        """The beginning of the window, in seconds since 1970."""
        return self.now - self.window.seconds

    def text(self, name: str, default: str = "") -> str:
        """A value of the query; the default, and a note, for one that no field takes."""
        given = self.query.get(name, default).strip()
        if len(given) > _MAX_VALUE:
            return self._noted(name, f"A value of more than {_MAX_VALUE} characters", default)
        if _NO_TEXT.search(given):
            return self._noted(name, f"{given!r} has characters that are no text", default)
        return given

    def choice(self, name: str, choices: Sequence[str], default: str = "") -> str:
        """One of several values; the default, and a note, for another one."""
        given = self.text(name)
        if not given or given in choices:
            return given or default
        return self._noted(name, f"{given!r} is none of {', '.join(choices)}", default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Whether something is on: `1` or `0`."""
        return self.choice(name, ("0", "1"), str(int(default))) == "1"

    def trace_id(self, name: str) -> str:
        """A trace id, or the beginning of one."""
        given = self.text(name).lower().removeprefix("0x")
        if not given or _TRACE_ID.fullmatch(given):
            return given
        return self._noted(name, "A trace id has 32 hexadecimal digits, or is the beginning of one", "")

    def whole_number(self, name: str, default: int, *, most: int = 1000) -> int:
        """A number from 1 on."""
        given = self.text(name)
        if not given:
            return default
        if given.isascii() and given.isdigit() and 1 <= int(given[:20]) <= most:
            return int(given)
        return self._noted(name, f"{given!r} is no whole number from 1 to {most}", default)

    def seconds(self, name: str, default: float | None = None) -> float | None:
        """A duration such as `250ms`, `1.5 s`, `2m`; without a unit, seconds."""
        given = self.text(name)
        if not given:
            return default
        if match := _DURATION.fullmatch(given):
            return float(match[1]) * _UNITS[match[2] or "s"]
        return self._noted(name, f"{given!r} is no duration, such as 250ms, 1.5s or 2m", default)

    def _noted(self, name: str, note: str, default: T) -> T:
        self.notes[name] = f"{note}: not used."
        return default

    def note(self, name: str) -> str:
        """Why a value is not used, to be shown beside its field; empty for one that is used."""
        self.shown_notes.add(name)
        return self.notes.get(name, "")

    def other_notes(self) -> list[str]:
        """The notes that are not shown beside a field, with the names of their values."""
        _ = self.window  # of which there is a note, too
        return [f"{name}: {note}" for name, note in self.notes.items() if name not in self.shown_notes]

    def url(self, path: str = "", /, **query: object) -> str:
        """The URL of a page below the console's own path; the window stays, unless the query has one."""
        kept = {"window": self.query["window"]} if self.query.get("window") in BY_KEY else {}
        values = {name: value for name, value in {**kept, **query}.items() if value not in {None, ""}}
        return f"{self.mounted_at}{self.frame.root}{quote(path)}" + (f"?{urlencode(values)}" if values else "")

    def here(self, **query: object) -> str:
        """The URL of this page with other values of the query; None takes one away."""
        used = {name: value for name, value in self.query.items() if name not in self.notes}
        return self.url(self.path, **{**used, **query})

    @property
    def signed_out(self) -> str:
        """The URL of the form to sign in, which says that one is signed out."""
        return f"{self.mounted_at}{self.frame.root}/sign-in?ended=1"

    def static(self, name: str) -> str:
        return f"{self.mounted_at}{self.frame.root}/static/{name}?v={VERSION}"

    def is_within(self, path: str) -> bool:
        """Whether this page is that of a path, or one below it."""
        return self.path.rstrip("/") == path or (path != "" and self.path.startswith(f"{path}/"))

    @property
    def is_protected(self) -> bool:
        return self.telemetry.settings.ops_token is not None

    @cached_property
    def notices(self) -> Sequence[Notice]:
        """What the application says of itself; nothing where that fails."""
        found: Sequence[Notice] = failsafe(self.frame.read_notices)() or ()
        return found

    @property
    def banners(self) -> list[Notice]:
        return [notice for notice in self.notices if notice.is_banner]

    @cached_property
    def firing_alerts(self) -> int:
        """How many alerts fire, for the navigation; 0 where that cannot be read."""
        return self.frame.firing.count(self.telemetry.alerts)

    def health(self) -> Report:
        """Run the checks of the service's health; within a second."""

        async def run() -> Report:
            return await self.frame.run_checks(self.telemetry)

        return asyncio.run(run())
