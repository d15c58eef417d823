import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from telemetry.alerts.alert import MAX_TEXT_LENGTH, AlertLevel
from telemetry.alerts.intake.exporter import AlertExporter, notifying
from telemetry.logs.otel_handler import OTelHandler
from telemetry.logs.reported_errors import mark_reported
from telemetry.logs.source_location import source_location
from telemetry.sdk.trace_suppression import suppressed_context


class FakeIntake:
    def __init__(self):
        self.alerts = []
        self.known = set()

    def is_known(self, fingerprint, _severity, _at):
        return fingerprint in {each.fingerprint for each in self.alerts}

    def count_if_repeat(self, key):
        return key.fingerprint in self.known

    def report(self, alert):
        self.alerts.append(alert)


@pytest.fixture
def intake():
    return FakeIntake()


def in_job(_context):
    return True


@pytest.fixture
def log(intake):
    """A logger whose records become alerts, and go nowhere else."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(AlertExporter(intake, in_job)))
    logger = logging.getLogger("shop.orders")
    handler = OTelHandler(logging.ERROR, provider, in_job, intake.is_known)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)
    logger.propagate = True
    provider.shutdown()


def test_an_error_becomes_an_alert_and_a_warning_does_not(log, intake):
    log.warning("fine")
    log.error("token of %s rejected", "ozon")
    log.critical("worse")

    assert [(each.level, each.summary) for each in intake.alerts] == [
        (AlertLevel.ERROR, "token of ozon rejected"),
        (AlertLevel.CRITICAL, "worse"),
    ]
    assert {each.component for each in intake.alerts} == {"shop"}


def test_what_says_that_it_is_an_alert_is_one_at_any_level(log, intake):
    log.info("stock is counted", extra={"alert.level": "INFO", "component": "warehouse"})

    [alert] = intake.alerts
    assert (alert.level, alert.component) == (AlertLevel.INFO, "warehouse")


def test_what_is_reported_elsewhere_is_no_alert(log, intake):
    log.error("job failed", extra={"alert.elsewhere": True})

    assert intake.alerts == []


def fails(message):
    raise ValueError(message)


def log_failure(log, message="no", **extra):
    try:
        fails(message)
    except ValueError:
        log.exception("it is about %s", message, extra=extra)


def test_repeats_are_known_by_their_location_and_not_by_their_message(log, intake):
    log_failure(log, "one")
    log_failure(log, "two")
    log_failure(log, "two", component="other")
    log_failure(log, "two", **{"http.route": "/orders"})
    log.error("another line")

    fingerprints = [each.fingerprint for each in intake.alerts]
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 4
    assert intake.alerts[0].error == "ValueError: one"
    line = fails.__code__.co_firstlineno + 1
    assert intake.alerts[0].location.endswith(f"test_alert.py:{line} in fails")


def test_the_first_has_its_traceback_and_a_repeat_needs_none(log, intake):
    log_failure(log)
    log_failure(log)

    assert "Traceback" in intake.alerts[0].stack
    assert intake.alerts[1].stack == ""


def test_a_repeat_is_only_counted(log, intake):
    log_failure(log)
    intake.known.add(intake.alerts[0].fingerprint)

    log_failure(log)

    assert len(intake.alerts) == 1


def test_one_exception_that_is_logged_on_its_way_is_one_alert(log, intake):
    def log_and_raise():
        try:
            fails("no")
        except ValueError:
            log.exception("deep inside")
            raise

    try:
        log_and_raise()
    except ValueError:
        log.exception("at the edge")

    assert [each.summary for each in intake.alerts] == ["deep inside"]


def test_the_span_counts_inside_a_job_and_the_trace_is_kept(log, intake):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    for name in ("job a", "job b"):
        with tracer.start_as_current_span(name) as span:
            log_failure(log)
        context = span.get_span_context()

    assert intake.alerts[0].fingerprint != intake.alerts[1].fingerprint
    assert intake.alerts[1].trace_id == trace.format_trace_id(context.trace_id)
    assert intake.alerts[1].is_sampled


def test_what_is_not_traced_has_no_trace(log, intake):
    from opentelemetry import context  # noqa: PLC0415  # beside its use

    token = context.attach(suppressed_context())
    log.error("in a thread of the telemetry")
    context.detach(token)

    assert intake.alerts[0].trace_id == ""


def test_a_failure_of_the_database_says_so(log, intake):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    try:
        raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("gone"))
    except sqlalchemy.exc.OperationalError:
        log.exception("cannot read")

    assert intake.alerts[0].inhibited_by == "database"


def test_a_failure_of_the_sending_is_no_alert(log, intake):
    token = notifying.set(True)
    log.error("telegram is not there")
    notifying.reset(token)

    assert intake.alerts == []


def test_an_error_in_the_intake_does_not_reach_the_code_that_logs(log, intake):
    intake.report = None

    log.error("no")


def test_an_exception_that_takes_no_mark_is_an_alert_all_the_same(log, intake):
    class Slotted(Exception):
        __slots__ = ()

        def __setattr__(self, name, value):
            raise TypeError(name)

    try:
        raise Slotted
    except Slotted:
        log.exception("no")

    assert len(intake.alerts) == 1


def test_a_text_without_end_is_cut_in_its_middle(log, intake):
    log.error("a" * (2 * MAX_TEXT_LENGTH))

    assert len(intake.alerts[0].summary) < MAX_TEXT_LENGTH + 100
    assert "left out" in intake.alerts[0].summary


@pytest.mark.parametrize("facts", ["[1]", "{", None])
def test_facts_that_are_none_are_left_out(log, intake, facts):
    log.error("no", extra={"alert.facts": facts})

    assert intake.alerts[0].facts == {}


def test_an_error_without_a_frame_of_ours_has_no_location():
    assert source_location(ValueError("no")) == ""


def test_a_mark_of_a_server_is_another_one(log, intake):
    error = ValueError("no")
    mark_reported(error)

    log.error("no", exc_info=error)

    assert len(intake.alerts) == 1


@pytest.mark.parametrize(
    ("given", "section"),
    [
        ({"alert.section": "message-job-failed"}, "message-job-failed"),
        ({"alert.section": "x" * 101}, ""),
        ({"alert.section": 5}, ""),
        ({}, ""),
    ],
)
def test_an_alert_has_the_section_that_its_record_names(log, intake, given, section):
    log.error("it fails", extra=given)

    assert intake.alerts[0].section == section
