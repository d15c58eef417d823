"""Which alerts are repeats of each other, and which exceptions were told of before."""

import asyncio
import concurrent.futures
import logging
import subprocess
from types import SimpleNamespace

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

from telemetry.alerts import service
from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.intake.exporter import AlertExporter
from telemetry.logs import reported_errors
from telemetry.logs.background import queued_handler
from telemetry.logs.background.log_writer import LogWriter
from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.logs.otel_handler import OTelHandler


class Intake:
    def __init__(self):
        self.alerts = []

    def is_known(self, _fingerprint, _severity, _at):
        return False

    def count_if_repeat(self, _key):
        return False

    def report(self, alert):
        self.alerts.append(alert)

    @property
    def kinds(self):
        return len({each.fingerprint for each in self.alerts})

    @property
    def summaries(self):
        return [each.summary for each in self.alerts]


@pytest.fixture
def intake():
    return Intake()


@pytest.fixture
def log(intake, monkeypatch):
    """A logger whose records become alerts in a thread of their own, as in a process."""
    monkeypatch.setattr(queued_handler, "DEADLINE", 30.0)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(AlertExporter(intake)))
    logger = logging.getLogger("shop.orders")
    writer = LogWriter("log_pipeline", [OTelHandler(logging.ERROR, provider)])
    handler = QueuedHandler(writer)
    handler.always_waits = True
    loggers = [logger, logging.getLogger("telemetry.alerts.service"), logging.getLogger("concurrent.futures")]
    for each in loggers:
        each.addHandler(handler)
        each.propagate = False
    yield logger
    for each in loggers:
        each.removeHandler(handler)
        each.propagate = True
    handler.close()
    provider.shutdown()


def fail(text="no"):
    raise ValueError(text)


def kept_error(text="no"):
    try:
        fail(text)
    except ValueError as error:
        return error


# --- told before ---


def test_the_last_of_several_attempts_does_not_swallow_the_critical_one(log, intake):
    last = None
    for attempt in range(3):
        try:
            fail()
        except ValueError as error:
            log.exception("attempt %d", attempt)
            last = error
    try:
        raise RuntimeError("gave up") from last
    except RuntimeError:
        log.critical("the stock can't be counted", exc_info=True)

    assert intake.summaries[-1] == "the stock can't be counted"
    assert intake.alerts[-1].level is AlertLevel.CRITICAL


def log_and_raise(log):
    try:
        fail()
    except ValueError:
        log.exception("inside")
        raise


def propagate(log, level=logging.ERROR):
    try:
        log_and_raise(log)
    except ValueError:
        log.log(level, "outside", exc_info=True)


def test_an_exception_on_its_way_is_told_once(log, intake):
    propagate(log)

    assert intake.summaries == ["inside"]


def test_it_is_told_again_at_a_higher_level(log, intake):
    propagate(log, logging.CRITICAL)

    assert intake.summaries == ["inside", "outside"]


def test_it_is_told_again_after_a_minute(log, intake, monkeypatch):
    times = iter([0.0, 60.1])
    monkeypatch.setattr(reported_errors, "time", SimpleNamespace(monotonic=lambda: next(times)))

    propagate(log)

    assert intake.summaries == ["inside", "outside"]


@pytest.mark.parametrize("wrap", ["from", "context", "group", "note"])
def test_another_exception_that_wraps_it_is_told(log, intake, wrap):
    try:
        try:
            fail()
        except ValueError as error:
            log.exception("inside")
            if wrap == "from":
                raise RuntimeError("above") from error
            if wrap == "context":
                raise RuntimeError("above")  # noqa: B904  # what is tested
            if wrap == "group":
                raise ExceptionGroup("above", [error]) from None
            raise type(error)(*error.args) from None
    except (RuntimeError, ExceptionGroup, ValueError):
        log.exception("outside")

    assert intake.summaries == ["inside", "outside"]


def test_an_exception_that_was_kept_and_is_told_with_other_words_at_another_place_is_told(log, intake):
    error = kept_error()
    log.error("the first", exc_info=error)
    log.error("another one", exc_info=error)

    assert intake.summaries == ["the first", "another one"]


def test_an_exception_that_was_kept_and_is_raised_again_is_told(log, intake):
    def retry():
        last = None
        for _ in range(2):
            try:
                fail()
            except ValueError as error:
                log.exception("attempt")
                last = error
        raise last

    try:
        retry()
    except ValueError:
        log.exception("gave up")

    assert intake.summaries == ["attempt", "attempt", "gave up"]


def test_an_exception_that_passes_from_one_task_to_another_is_told_once(log, intake):
    async def work():
        try:
            fail()
        except ValueError:
            log.exception("inside")
            raise

    async def main():
        try:
            await asyncio.create_task(work())
        except ValueError:
            log.exception("outside")

    asyncio.run(main())

    assert intake.summaries == ["inside"]


# --- what is one, and what is another ---


def test_alerts_that_are_sent_on_purpose_are_told_apart_by_their_words(log, intake):
    for words in ("stock is counted", "stock is NEGATIVE", "stock is NEGATIVE"):
        asyncio.run(service.get_alert_service().send_alert(words, AlertLevel.CRITICAL))

    assert intake.kinds == 2
    assert all("test_identity.py" in each.location for each in intake.alerts)


def test_a_helper_that_logs_for_others_is_told_apart_by_its_caller(log, intake):
    def complain(message):
        log.error(message)

    def complain_of(thing, problem):
        log.error("%s: %s", thing, problem)

    def first():
        complain("the first")
        complain_of("first", "no")

    def second():
        complain("the second")
        complain_of("second", "no")

    first()
    second()
    once = intake.kinds
    first()

    assert (once, intake.kinds) == (4, 4)


def test_a_statement_with_words_of_its_own_is_one_alert_whoever_calls_it(log, intake):
    def save(name):
        log.error("%s can't be saved", name)

    def first():
        save("one")

    def second():
        save("two")

    first()
    second()

    assert intake.kinds == 1


def test_the_place_of_what_a_library_logs_is_in_our_code(log, intake):
    done = concurrent.futures.Future()
    done.set_result(1)
    done.add_done_callback(lambda _future: fail())

    [alert] = intake.alerts
    assert alert.location.endswith("in fail")


# --- groups, and what an exception says ---


def group(*errors):
    return ExceptionGroup("unhandled errors in a TaskGroup", list(errors))


def test_the_members_of_a_group_are_what_is_told(log, intake):
    log.error("failed", exc_info=group(group(kept_error("stock is negative"))))

    [alert] = intake.alerts
    assert alert.error == "ValueError: stock is negative"
    assert alert.location.endswith("in fail")


def test_groups_of_different_members_are_different_alerts(log, intake):
    def other():
        raise KeyError("sku")

    def caught(function):
        try:
            function()
        except Exception as error:
            return error

    members = [[caught(fail)], [caught(other)], [caught(fail), caught(other)], [caught(other), caught(fail)]]
    for each in members:
        log.error("failed", exc_info=group(*each))

    assert intake.kinds == 3
    assert intake.alerts[2].error.startswith("ExceptionGroup: ValueError: no; KeyError: 'sku'")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "stock.csv"), "No such file or directory: 'stock.csv'"),
        (subprocess.CalledProcessError(1, ["pg_dump"]), "returned non-zero exit status 1"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError("sku"), "'sku'"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "can't decode byte 0xff"),
        (ValueError(), "ValueError"),
        (ValueError(1, 2), "(1, 2)"),
    ],
)
def test_the_reason_is_what_the_exception_says(log, intake, error, text):
    log.error("failed", exc_info=error)

    assert text in intake.alerts[0].error
