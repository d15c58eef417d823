import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from telemetry.alerts.alert import MAX_TEXT_LENGTH, AlertLevel
from telemetry.alerts.intake.exporter import AlertExporter, notifying
from telemetry.logs.filters import mark_reported
from telemetry.logs.otel_handler import OTelHandler
from telemetry.logs.source_location import source_location
from telemetry.sdk.trace_suppression import suppressed_context


class Desk:
    def __init__(self):
        self.alerts = []
        self.repeats = set()

    def is_repeat(self, fingerprint, _state, _at):
        return fingerprint in self.repeats

    def report(self, alert):
        self.alerts.append(alert)


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def log(desk):
    """A logger whose records go the way of the alerts, and nowhere else."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(AlertExporter(desk, lambda _context: True)))
    logger = logging.getLogger("shop.orders")
    handler = OTelHandler(logging.ERROR, provider)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)
    logger.propagate = True
    provider.shutdown()


def test_an_error_becomes_an_alert_and_a_warning_does_not(log, desk):
    log.warning("fine")
    log.error("token of %s rejected", "ozon")
    log.critical("worse")

    assert [(each.level, each.words) for each in desk.alerts] == [
        (AlertLevel.ERROR, "token of ozon rejected"),
        (AlertLevel.CRITICAL, "worse"),
    ]
    assert {each.component for each in desk.alerts} == {"shop"}


def test_what_says_that_it_is_an_alert_is_one_at_any_level(log, desk):
    log.info("stock is counted", extra={"alert.level": "INFO", "component": "warehouse"})

    [told] = desk.alerts
    assert (told.level, told.component) == (AlertLevel.INFO, "warehouse")


def test_what_is_told_elsewhere_is_none(log, desk):
    log.error("job failed", extra={"alert.elsewhere": True})

    assert desk.alerts == []


def fails(words):
    raise ValueError(words)


def log_failure(log, words="no", **extra):
    try:
        fails(words)
    except ValueError:
        log.exception("it is about %s", words, extra=extra)


def test_repeats_are_known_by_where_they_come_from_and_not_by_their_words(log, desk):
    log_failure(log, "one")
    log_failure(log, "two")
    log_failure(log, "two", component="other")
    log_failure(log, "two", **{"http.route": "/orders"})
    log.error("another line")

    prints = [each.fingerprint for each in desk.alerts]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4
    assert desk.alerts[0].error == "ValueError: one"
    line = fails.__code__.co_firstlineno + 1
    assert desk.alerts[0].place.endswith(f"test_alert.py:{line} in fails")


def test_the_first_has_its_traceback_and_a_repeat_needs_none(log, desk):
    log_failure(log)
    log_failure(log)

    assert "Traceback" in desk.alerts[0].stack
    assert desk.alerts[1].stack == ""


def test_a_repeat_is_only_counted(log, desk):
    log_failure(log)
    desk.repeats.add(desk.alerts[0].fingerprint)

    log_failure(log)

    assert len(desk.alerts) == 1


def test_one_exception_that_is_logged_twice_is_one_alert(log, desk):
    try:
        try:
            fails("no")
        except ValueError as error:
            log.exception("deep inside")
            raise RuntimeError("above") from error
    except RuntimeError:
        log.exception("at the edge")

    assert [each.words for each in desk.alerts] == ["deep inside"]


def test_the_span_counts_inside_a_job_and_the_trace_is_kept(log, desk):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    for name in ("job a", "job b"):
        with tracer.start_as_current_span(name) as span:
            log_failure(log)
        context = span.get_span_context()

    assert desk.alerts[0].fingerprint != desk.alerts[1].fingerprint
    assert desk.alerts[1].trace_id == trace.format_trace_id(context.trace_id)
    assert desk.alerts[1].is_sampled


def test_what_is_not_traced_has_no_trace(log, desk):
    from opentelemetry import context  # noqa: PLC0415  # beside its use

    token = context.attach(suppressed_context())
    log.error("in a thread of the telemetry")
    context.detach(token)

    assert desk.alerts[0].trace_id == ""


def test_a_failure_of_the_database_says_so(log, desk):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    try:
        raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("gone"))
    except sqlalchemy.exc.OperationalError:
        log.exception("cannot read")

    assert desk.alerts[0].follows == "database"


def test_what_goes_wrong_in_the_sending_is_no_alert(log, desk):
    token = notifying.set(True)
    log.error("telegram is not there")
    notifying.reset(token)

    assert desk.alerts == []


def test_what_raises_in_the_desk_does_not_reach_whoever_logs(log, desk):
    desk.report = None

    log.error("no")


def test_an_exception_that_takes_no_mark_is_an_alert_all_the_same(log, desk):
    class Slotted(Exception):
        __slots__ = ()

        def __setattr__(self, name, value):
            raise TypeError(name)

    try:
        raise Slotted
    except Slotted:
        log.exception("no")

    assert len(desk.alerts) == 1


def test_a_text_without_end_is_cut_in_its_middle(log, desk):
    log.error("a" * (2 * MAX_TEXT_LENGTH))

    assert len(desk.alerts[0].words) < MAX_TEXT_LENGTH + 100
    assert "left out" in desk.alerts[0].words


@pytest.mark.parametrize("facts", ["[1]", "{", None])
def test_facts_that_are_none_are_left_out(log, desk, facts):
    log.error("no", extra={"alert.facts": facts})

    assert desk.alerts[0].facts == {}


def test_an_error_without_a_frame_of_ours_has_no_place():
    assert source_location(ValueError("no")) == ""


def test_a_mark_of_a_server_is_another_one(log, desk):
    error = ValueError("no")
    mark_reported(error)

    log.error("no", exc_info=error)

    assert len(desk.alerts) == 1
