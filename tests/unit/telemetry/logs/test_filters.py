import logging

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider, ReadWriteLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.instruments import Instruments
from telemetry.logs.error_counter import ErrorCounter
from telemetry.logs.filters import OnceFilter, mark_reported
from telemetry.logs.otel_handler import OTelHandler


class Stage:
    """A logger whose records go through OpenTelemetry into the counter, as in the service; and what it counted."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        instruments = Instruments.create(MeterProvider([self._reader], shutdown_on_exit=False).get_meter("tests"))
        self.counter = ErrorCounter(instruments.errors)
        self._provider = LoggerProvider(shutdown_on_exit=False)
        self._provider.add_log_record_processor(self.counter)
        self.handler = OTelHandler(logging.NOTSET, self._provider)

    def logger(self, name: str) -> logging.Logger:
        logger = logging.Logger(name)  # noqa: LOG001  # one that is nobody else's: the root's handlers don't hear it
        logger.addHandler(self.handler)
        return logger

    def counted(self) -> dict[tuple[str, str], int]:
        data = self._reader.get_metrics_data()
        points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points if data else []
        return {(point.attributes["error.type"], point.attributes["component"]): point.value for point in points}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_error_is_counted_and_a_warning_is_not(stage):
    log = stage.logger("shop.orders")

    log.warning("slow")
    log.error("broken")
    log.critical("on fire")

    assert stage.counted() == {("log", "shop"): 2}


def test_an_error_is_counted_by_its_exception_and_its_component(stage):
    try:
        raise LookupError("no such order")
    except LookupError:
        stage.logger("shop.orders").exception("failed", extra={"component": "ozon"})

    assert stage.counted() == {("LookupError", "ozon"): 1}


@pytest.mark.parametrize("component", ["x" * 65, "заказы", "a b", "", 7, {"a": 1}])
def test_a_component_that_is_no_short_word_is_other(stage, component):
    stage.logger("shop").error("broken", extra={"component": component})

    assert stage.counted() == {("log", "other"): 1}


def test_only_so_many_pairs_are_told_apart(stage):
    log = stage.logger("shop")

    for number in range(250):
        log.error("broken", extra={"component": f"part-{number}"})
    log.error("broken", extra={"component": "part-0"})

    counted = stage.counted()
    assert len(counted) == 201
    assert counted["other", "other"] == 50
    assert counted["log", "part-0"] == 2


def test_a_record_without_a_logger_or_attributes_is_counted_too(stage):
    stage.counter.on_emit(ReadWriteLogRecord(LogRecord(severity_number=SeverityNumber.ERROR)))
    stage.counter.on_emit(ReadWriteLogRecord(LogRecord()))

    assert stage.counted() == {("log", "other"): 1}


class BrokenCounter:
    def add(self, amount, attributes):
        raise RuntimeError


def test_a_counter_that_raises_is_no_trouble_for_whoever_logs():
    counter = ErrorCounter(BrokenCounter())

    counter.on_emit(ReadWriteLogRecord(LogRecord(severity_number=SeverityNumber.ERROR)))

    assert counter.force_flush()
    assert counter.shutdown() is None


def test_arguments_that_do_not_fit_are_counted_and_are_no_trouble_for_whoever_logs(stage):
    stage.logger("shop").error("%d orders", "many")

    assert stage.counted() == {("log", "shop"): 1}


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def test_an_exception_that_cannot_be_printed_is_no_trouble_for_whoever_logs(stage, capsys):
    stage.logger("shop").error("broken", exc_info=Mute(Mute()))

    assert "OpenTelemetry cannot be written" in capsys.readouterr().err


def test_what_is_logged_while_telemetry_is_exported_is_not_fed_back(stage):
    with suppress_instrumentation():
        stage.logger("shop").error("the collector refuses")

    assert stage.counted() == {}


@pytest.mark.parametrize(
    "name",
    ["opentelemetry.exporter.otlp", "urllib3.connectionpool", "requests", "grpc._channel", "concurrent_log_handler"],
)
def test_what_the_exporters_log_is_not_fed_back(stage, name):
    stage.logger(name).error("the collector refuses")

    assert stage.counted() == {}


def test_a_logger_whose_name_only_begins_alike_is_heard(stage):
    stage.logger("requests_of_customers").error("broken")

    assert stage.counted() == {("log", "requests_of_customers"): 1}


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

    assert not OnceFilter().filter(crash(error))
    assert OnceFilter().filter(crash(ValueError()))
    assert OnceFilter().filter(crash(None))


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

    assert not OnceFilter().filter(crash(wrapped(error)))


def test_exceptions_that_go_around_in_a_circle_are_looked_at_once():
    first, second = ValueError(), KeyError()
    caused(during(first, second), second)
    during(second, first)

    assert OnceFilter().filter(crash(first))


def test_an_exception_that_cannot_be_changed_can_be_marked():
    class Frozen(Exception):
        def __setattr__(self, name, value):
            raise AttributeError(name)

    error = Frozen()

    mark_reported(error)

    assert not OnceFilter().filter(crash(error))
