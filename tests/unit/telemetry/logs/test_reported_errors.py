import logging

import pytest

from telemetry.logs.reported_errors import ReportedErrorFilter, mark_reported


def crash(error: BaseException | None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.makeLogRecord({"msg": "Exception in ASGI application", "exc_info": info})


def caused(error: BaseException, by: BaseException) -> BaseException:
    error.__cause__ = by
    return error


def during(error: BaseException, other: BaseException) -> BaseException:
    error.__context__ = other
    return error


def test_an_exception_that_was_reported_is_not_reported_again():
    error = ValueError()

    mark_reported(error)

    assert not ReportedErrorFilter().filter(crash(error))
    assert ReportedErrorFilter().filter(crash(ValueError()))
    assert ReportedErrorFilter().filter(crash(None))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda error: caused(RuntimeError(), error),
        lambda error: during(RuntimeError(), error),
        lambda error: ExceptionGroup("group", [KeyError(), ExceptionGroup("inner", [caused(OSError(), error)])]),
    ],
    ids=["cause", "context", "groups"],
)
def test_nor_is_one_that_comes_from_it(wrapped):
    error = ValueError()

    mark_reported(error)

    assert not ReportedErrorFilter().filter(crash(wrapped(error)))


def test_exceptions_that_go_around_in_a_circle_are_looked_at_once():
    first, second = ValueError(), KeyError()
    caused(during(first, second), second)
    during(second, first)

    assert ReportedErrorFilter().filter(crash(first))


def test_an_exception_that_cannot_be_changed_can_be_marked():
    class Frozen(Exception):
        def __setattr__(self, name, value):
            raise AttributeError(name)

    error = Frozen()

    mark_reported(error)

    assert not ReportedErrorFilter().filter(crash(error))
