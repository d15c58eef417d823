"""Runs health checks concurrently, each with a deadline; a hanging check delays no other, and results are shared."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from telemetry.error_text import CheckFailed, safe_text
from telemetry.health.report import CheckResult, Report
from telemetry.singleflight import SHARE_SECONDS, Call, Clock, SingleFlight

CHECK_TIMEOUT: Final = 0.7  # seconds
Check = Callable[[], object]
_log = logging.getLogger(__name__)


class HealthChecks:
    """Named health checks.

    A check is a callable that raises if it fails; it may return a `CheckResult` with details or a warning. It runs in a
    thread of its own, never twice at a time. A hanging check is reported as failed, without waiting for it, until it returns.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        deadline: float = CHECK_TIMEOUT,
        share_for: float = SHARE_SECONDS,
        clock: Clock = time.monotonic,
        is_starting: Callable[[], bool] = lambda: False,
    ) -> None:
        """Create the runner.

        Args:
            checks: the checks by name.
            deadline: how long to wait for a check, in seconds since it started.
            share_for: how long a result is reused, in seconds since the check started.
            clock: monotonic, in seconds.
            is_starting: whether a failure is expected, since the process is not ready yet. It is then logged at INFO.
        """
        self._deadline = deadline
        self._clock = clock
        self._singleflights = {
            name: SingleFlight(
                f"health-{name}", _LoggedResult(name, check, is_starting), share_for=share_for, clock=clock
            )
            for name, check in checks.items()
        }

    async def run(self, names: Iterable[str] | None = None) -> Report:
        """Run the named checks, by default all, and return within the deadline without blocking the event loop.

        Raises:
            KeyError: there is no check of that name.
        """
        calls = {name: self._singleflights[name].call() for name in (self._singleflights if names is None else names)}
        await self._wait(calls.values())
        return Report({name: self._result(call) for name, call in calls.items()})

    async def _wait(self, calls: Iterable[Call[CheckResult]]) -> None:
        """Wait for the calls until their deadlines. Overdue calls are not waited for, so waiters of a hung check do not pile up."""
        remaining = {call.future: self._remaining_seconds(call) for call in calls if not call.future.done()}
        pending = [asyncio.wrap_future(future) for future, seconds in remaining.items() if seconds > 0]
        if not pending:
            return
        try:
            await asyncio.wait(pending, timeout=max(remaining.values()))
        finally:
            for future in pending:
                future.cancel()

    def _remaining_seconds(self, call: Call[CheckResult]) -> float:
        return call.started + self._deadline - self._clock()

    def _result(self, call: Call[CheckResult]) -> CheckResult:
        if not call.future.done():
            return CheckResult.failed(f"no response within {self._deadline * 1000:.0f} ms")
        error = call.future.exception()
        return call.future.result() if error is None else CheckResult.failed(safe_text(error))


class _LoggedResult:
    """A check that never raises. Changes of its result are logged, with the details that the report omits.

    A failure that lasts beyond the start of the process is logged again, as a warning.
    """

    def __init__(self, name: str, check: Check, is_starting: Callable[[], bool]) -> None:
        self._name = name
        self._check = check
        self._is_starting = is_starting
        self._logged = ("", logging.WARNING)  # the error and the level of the last line

    def __call__(self) -> CheckResult:
        cause: BaseException | None = None
        try:
            found = self._check()
            result = found if isinstance(found, CheckResult) else CheckResult()
        except BaseException as error:  # noqa: BLE001  # the edge: any exception of a check is its result
            cause, result = error, CheckResult.failed(safe_text(error))
        level = logging.INFO if result.error and self._is_starting() else logging.WARNING
        if (result.error, level) != self._logged and (result.error or self._logged[0]):
            self._logged = (result.error, level)
            self._log_change(level, result.error, cause)
        return result

    def _log_change(self, level: int, error: str, cause: BaseException | None) -> None:
        if not error:
            _log.info("Health check %s passes again.", self._name)
        elif cause is None or isinstance(cause, CheckFailed):
            _log.log(level, "Health check %s fails: %s.", self._name, error)
        else:
            _log.log(level, "Health check %s fails: %s. %s: %s", self._name, error, type(cause).__name__, cause)
