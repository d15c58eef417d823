"""Examination: all checks at once, each with a deadline, their results shared; a check that hangs holds nobody up."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from telemetry.error_text import CheckFailed, safe_text
from telemetry.health.report import CheckResult, Report
from telemetry.singleflight import SHARE_SECONDS, Call, Clock, SingleFlight

CHECK_TIMEOUT: Final = 0.7
Check = Callable[[], object]
_log = logging.getLogger(__name__)


class HealthChecks:
    """A check is a callable that raises when it fails; it may return a `CheckResult` with figures or a warning.

    It runs in a thread of its own, never twice at a time. One that hangs is reported so, without waiting for it again,
    until it returns.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        deadline: float = CHECK_TIMEOUT,
        share_for: float = SHARE_SECONDS,
        clock: Clock = time.monotonic,
    ) -> None:
        """`deadline` and `share_for` are in seconds from the moment that a check began."""
        self._deadline = deadline
        self._clock = clock
        self._flights = {
            name: SingleFlight(f"health-{name}", _LoggedResult(name, check), share_for=share_for, clock=clock)
            for name, check in checks.items()
        }

    async def examine(self, names: Iterable[str] | None = None) -> Report:
        """Examine those named, by default all; within the deadline, whatever they do, and without blocking the event loop.

        Raises:
            KeyError: there is no check of that name.
        """
        flights = {name: self._flights[name].board() for name in (self._flights if names is None else names)}
        await self._wait(flights.values())
        return Report({name: self._result(flight) for name, flight in flights.items()})

    async def _wait(self, flights: Iterable[Call[CheckResult]]) -> None:
        """One that is overdue is not waited for: so what waits for a hung check does not pile up."""
        left = {flight.landing: self._time_left(flight) for flight in flights if not flight.landing.done()}
        waiting = [asyncio.wrap_future(landing) for landing, seconds in left.items() if seconds > 0]
        if not waiting:
            return
        try:
            await asyncio.wait(waiting, timeout=max(left.values()))
        finally:
            for landing in waiting:
                landing.cancel()

    def _time_left(self, flight: Call[CheckResult]) -> float:
        return flight.started + self._deadline - self._clock()

    def _result(self, flight: Call[CheckResult]) -> CheckResult:
        if not flight.landing.done():
            return CheckResult.failed(f"no answer within {self._deadline * 1000:.0f} ms")
        error = flight.landing.exception()
        return flight.landing.result() if error is None else CheckResult.failed(safe_text(error))


class _LoggedResult:
    """A check that never raises, and whose turns are logged with all that the report does not show."""

    def __init__(self, name: str, check: Check) -> None:
        self._name = name
        self._check = check
        self._said = ""

    def __call__(self) -> CheckResult:
        cause: BaseException | None = None
        try:
            found = self._check()
            result = found if isinstance(found, CheckResult) else CheckResult()
        except BaseException as error:  # noqa: BLE001  # the edge: whatever a check raises is its result
            cause, result = error, CheckResult.failed(safe_text(error))
        if result.error != self._said:
            self._said = result.error
            self._log_turn(result.error, cause)
        return result

    def _log_turn(self, error: str, cause: BaseException | None) -> None:
        if not error:
            _log.info("Health check %s is well again.", self._name)
        elif cause is None or isinstance(cause, CheckFailed):
            _log.warning("Health check %s fails: %s.", self._name, error)
        else:
            _log.warning("Health check %s fails: %s. %s: %s", self._name, error, type(cause).__name__, cause)
