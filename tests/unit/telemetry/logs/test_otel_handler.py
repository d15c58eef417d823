import logging

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from telemetry.alerts.alert import AlertKey
from telemetry.logs.otel_handler import OTelHandler


class Pipeline:
    """A logger whose records go through the handler into memory. `known` are the fingerprints of earlier alerts."""

    def __init__(self, level: int) -> None:
        self._exporter = InMemoryLogRecordExporter()
        self.known: set[str] = set()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        self.log = logging.Logger("shop.orders")  # noqa: LOG001  # not a global one: the root's handlers do not get its records
        self.log.addHandler(
            OTelHandler(level, self.provider, is_known=lambda fingerprint, _level, _at: fingerprint in self.known)
        )

    def fail(self, **extra: object) -> None:
        try:
            raise LookupError("no such order")
        except LookupError:
            self.log.exception("failed", extra=extra)

    @property
    def records(self):
        return self._exporter.get_finished_logs()

    @property
    def attributes(self) -> list[dict]:
        return [dict(each.log_record.attributes) for each in self.records]


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(logging.ERROR)


def test_the_alert_has_the_fingerprint_that_the_handler_has_given_the_record(pipeline):
    pipeline.fail()

    [record], [attributes] = pipeline.records, pipeline.attributes
    key = AlertKey.from_log_record(record, lambda _context: pytest.fail("the fingerprint was computed again"))
    assert key.fingerprint == attributes["alert.fingerprint"]


def test_a_fingerprint_of_the_record_itself_is_kept(pipeline):
    pipeline.fail(**{"alert.fingerprint": "mine"})

    assert [each["alert.fingerprint"] for each in pipeline.attributes] == ["mine"]


class NoText:
    def __str__(self):
        raise RuntimeError("not even a text")

    __repr__ = __str__


ENDLESS: list[object] = []
ENDLESS += [ENDLESS, ENDLESS]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (ENDLESS, "[[...], [...]]"),
        (NoText(), "<NoText>"),
        ({"a": [NoText()]}, None),
        ({1: "a", "b": {2}}, None),
        (2**80, 2**63 - 1),
        (range(10**15), "\u2026"),
    ],
)
def test_no_attribute_costs_the_record_of_an_error(pipeline, value, kept):
    pipeline.fail(odd=value, usual="x")

    [attributes] = pipeline.attributes
    assert attributes["usual"] == "x"
    assert attributes["alert.fingerprint"]
    assert kept is None or str(kept) in str(attributes["odd"])


def test_a_record_that_was_not_made_by_logging_has_the_same_identity(pipeline):
    pipeline.fail()
    [made_by_logging] = pipeline.records
    attributes = {**made_by_logging.log_record.attributes, "alert.fingerprint": None}
    pipeline.provider.get_logger("shop.orders").emit(
        LogRecord(severity_number=SeverityNumber.ERROR, attributes=attributes)
    )

    keys = [AlertKey.from_log_record(each, lambda _context: False) for each in pipeline.records]
    assert keys[0].fingerprint == keys[1].fingerprint


def test_an_alert_that_is_known_has_no_traceback(pipeline):
    pipeline.fail()
    pipeline.known.add(pipeline.attributes[0]["alert.fingerprint"])
    pipeline.fail()
    pipeline.fail(component="another")

    assert ["exception.stacktrace" in each for each in pipeline.attributes] == [True, False, True]
    assert [each["exception.type"] for each in pipeline.attributes] == ["LookupError"] * 3


def test_an_error_that_is_reported_elsewhere_has_no_traceback(pipeline):
    pipeline.fail(**{"alert.elsewhere": True})

    assert "exception.stacktrace" not in pipeline.attributes[0]


def test_whoever_else_receives_the_records_gets_every_traceback():
    pipeline = Pipeline(logging.NOTSET)

    pipeline.fail()
    pipeline.known.add(pipeline.attributes[0]["alert.fingerprint"])
    pipeline.fail()
    pipeline.fail(**{"alert.elsewhere": True})

    assert all("exception.stacktrace" in each for each in pipeline.attributes)


def test_other_handlers_see_nothing_of_the_attributes(pipeline):
    seen = logging.makeLogRecord({"name": "shop", "levelno": logging.ERROR, "msg": "no"})

    pipeline.log.handle(seen)

    assert not [name for name in vars(seen) if name.startswith("alert.")]


class Hostile(Exception):
    def __getattr__(self, name):
        raise RuntimeError(name)


def test_an_exception_whose_attributes_raise_is_logged_like_any_other(pipeline, capsys):
    pipeline.log.error("no", exc_info=Hostile())

    assert [each["exception.type"] for each in pipeline.attributes] == ["Hostile"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "name",
    ["opentelemetry.exporter.otlp", "urllib3.connectionpool", "requests", "grpc._channel", "concurrent_log_handler"],
)
def test_what_the_exporters_log_is_counted_like_other_errors(errors, name):
    with suppress_instrumentation():
        errors.logger(name).error("the collector refuses")

    assert errors.counted() == {("log", name.partition(".")[0]): 1}


def test_a_logger_whose_name_only_begins_alike_is_heard(errors):
    errors.logger("requests_of_customers").error("broken")

    assert errors.counted() == {("log", "requests_of_customers"): 1}
