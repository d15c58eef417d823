"""Shows on a terminal what a run of a job does: its counts so far, and what it waits for."""

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TextIO

from service.names import RATE_LIMIT
from service.scheduler.job import RunContext
from telemetry.durations import format_duration
from telemetry.redaction import redact

_CLEAR_LINE: Final = "\x1b[K"
_DEFAULT_WIDTH: Final = 80
_REFRESH_SECONDS: Final = 1.0
_HUNG_SECONDS: Final = 10.0
"""How long the end of a run waits for a terminal that takes no output, such as after Ctrl-S."""
_LINE_SECONDS: Final = 10.0
"""How often a line is printed on a terminal that cannot rewrite one."""


class RunProgress:
    """The progress of one run. `on_wait` and `observe` tell it what happens; `shown` prints it meanwhile."""

    def __init__(self, job_name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._job_name = job_name
        self._clock = clock
        self._started = clock()
        self._counts: Mapping[str, Any] = {}
        self._wait: tuple[str, str, float] | None = None  # service, reason, end

    def on_wait(self, service: str, reason: str, seconds: float) -> None:
        """An outgoing call waits now."""
        self._wait = (service, reason, self._clock() + seconds)

    def observe(self, context: RunContext) -> RunContext:
        """The same context, which lets this read the metadata of the run while the job fills them."""
        return _ObservedContext(context, self)

    def follow(self, counts: Mapping[str, Any]) -> None:
        self._counts = counts

    @contextmanager
    def shown(self, terminal: "Terminal | None") -> Generator[None]:
        """Print the progress regularly while the block runs; nothing without a terminal."""
        if terminal is None:
            yield
            return
        stop = threading.Event()
        thread = threading.Thread(target=self._show, args=(terminal, stop), name="run-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_HUNG_SECONDS)

    def _show(self, terminal: "Terminal", stop: threading.Event) -> None:
        try:
            while not stop.wait(terminal.interval):
                terminal.show(redact(self.text()))
            terminal.clear()
        except (OSError, ValueError):  # the terminal was closed; the run continues
            return

    def text(self) -> str:
        """What is known now, as one line."""
        parts = [f"{self._job_name}: {format_duration(self._clock() - self._started)}", *self._count_texts()]
        return " · ".join([*parts, *self._wait_texts()])

    def _count_texts(self) -> list[str]:
        counts = dict(self._counts)  # a copy: the job changes it in another thread
        numbers = {name: value for name, value in counts.items() if isinstance(value, int | float) and value}
        return [f"{name} {value:,}" for name, value in numbers.items()]

    def _wait_texts(self) -> list[str]:
        if self._wait is None or (left := self._wait[2] - self._clock()) <= 0:
            return []
        service, reason, _ = self._wait
        what = f"the rate limit of {service}" if reason == RATE_LIMIT else f"the next attempt at {service}"
        return [f"waiting {format_duration(left + 1)} for {what}"]


class _ObservedContext:
    def __init__(self, context: RunContext, progress: RunProgress) -> None:
        self._context = context
        self._progress = progress

    def for_run(self, progress: dict[str, Any]) -> Any:
        self._progress.follow(progress)
        return self._context.for_run(progress)


class Terminal:
    """One line of a terminal that is written anew, or a line now and then where that is not possible (`TERM=dumb`)."""

    def __init__(self, out: TextIO, *, rewrites: bool) -> None:
        self._out = out
        self._rewrites = rewrites
        self.interval = _REFRESH_SECONDS if rewrites else _LINE_SECONDS

    @classmethod
    def of(cls, out: TextIO) -> "Terminal | None":
        """None if the output is no terminal."""
        if not out.isatty():
            return None
        return cls(out, rewrites=os.environ.get("TERM", "dumb") != "dumb")

    def show(self, text: str) -> None:
        """The cursor is left at the beginning of the line, so that a line of the log is not put behind it."""
        if self._rewrites:
            self._write(f"\r{_CLEAR_LINE}{text[: self._width() - 1]}\r")
        else:
            self._write(f"{text}\n")

    def clear(self) -> None:
        if self._rewrites:
            self._write(f"\r{_CLEAR_LINE}")

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or _DEFAULT_WIDTH
        except OSError:  # also of a stream that has no file descriptor
            return _DEFAULT_WIDTH

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
