"""Maps the exception that ended a run to its outcome, status and error message."""

import asyncio
from typing import Final

from telemetry import semconv
from telemetry.logs.exception_chain import error_text, leaves

MAX_ERROR_LENGTH: Final = 500
_WORST_FIRST: Final = (semconv.OUTCOME_ERROR, semconv.OUTCOME_TIMEOUT, semconv.OUTCOME_CANCELLED)
_CANCELLED: Final = (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)


def outcome_of(error: BaseException | None, *, skipped: bool = False) -> str:
    """Map the exception that left the job, or None, to `success`, `skipped`, `error`, `timeout` or `cancelled`.

    `SystemExit` with code 0 or None counts as cancelled; with another code as an error. The members of a group decide: one
    error makes it an error, else one timeout a timeout.
    """
    if error is None:
        return semconv.OUTCOME_SKIPPED if skipped else semconv.OUTCOME_SUCCESS
    outcomes = {_outcome_of_one(each) for each in leaves(error)}
    return next(each for each in _WORST_FIRST if each in outcomes)


def _outcome_of_one(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return semconv.OUTCOME_TIMEOUT
    if isinstance(error, _CANCELLED) or _is_clean_exit(error):
        return semconv.OUTCOME_CANCELLED
    return semconv.OUTCOME_ERROR


def _is_clean_exit(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and (
        error.code is None or (isinstance(error.code, int) and int(error.code) == 0)
    )


def status_of(outcome: str) -> str:
    succeeded = outcome in {semconv.OUTCOME_SUCCESS, semconv.OUTCOME_SKIPPED}
    return semconv.STATUS_SUCCESS if succeeded else semconv.STATUS_FAILED


def error_message(error: BaseException) -> str:
    """The message of the exception, cut to `MAX_ERROR_LENGTH`: see `error_text`."""
    return error_text(error)[:MAX_ERROR_LENGTH]
