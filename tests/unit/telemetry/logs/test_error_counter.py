import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadWriteLogRecord

from telemetry.logs.error_counter import ErrorCounter


def test_an_error_is_counted_and_a_warning_is_not(errors):
    log = errors.logger("shop.orders")

    log.warning("slow")
    log.error("broken")
    log.critical("on fire")

    assert errors.counted() == {("log", "shop"): 2}


def test_an_error_is_counted_by_its_exception_and_its_component(errors):
    try:
        raise LookupError("no such order")
    except LookupError:
        errors.logger("shop.orders").exception("failed", extra={"component": "ozon"})

    assert errors.counted() == {("LookupError", "ozon"): 1}


@pytest.mark.parametrize("component", ["x" * 65, "заказы", "a b", "", 7, {"a": 1}])
def test_a_component_that_is_no_short_word_is_other(errors, component):
    errors.logger("shop").error("broken", extra={"component": component})

    assert errors.counted() == {("log", "other"): 1}


def test_only_so_many_pairs_are_distinguished(errors):
    log = errors.logger("shop")

    for number in range(250):
        log.error("broken", extra={"component": f"part-{number}"})
    log.error("broken", extra={"component": "part-0"})

    counted = errors.counted()
    assert len(counted) == 201
    assert counted["other", "other"] == 50
    assert counted["log", "part-0"] == 2


def test_a_record_without_a_logger_or_attributes_is_counted_too(errors):
    errors.counter.on_emit(ReadWriteLogRecord(LogRecord(severity_number=SeverityNumber.ERROR)))
    errors.counter.on_emit(ReadWriteLogRecord(LogRecord()))

    assert errors.counted() == {("log", "other"): 1}


class BrokenCounter:
    def add(self, amount, attributes):
        raise RuntimeError


def test_a_counter_that_raises_does_not_disturb_the_code_that_logs():
    counter = ErrorCounter(BrokenCounter())

    counter.on_emit(ReadWriteLogRecord(LogRecord(severity_number=SeverityNumber.ERROR)))

    assert counter.force_flush()
    assert counter.shutdown() is None


def test_arguments_that_do_not_fit_are_counted_and_do_not_disturb_the_code_that_logs(errors):
    errors.logger("shop").error("%d orders", "many")

    assert errors.counted() == {("log", "shop"): 1}


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def test_an_exception_that_cannot_be_printed_does_not_disturb_the_code_that_logs(errors, capsys):
    errors.logger("shop").error("broken", exc_info=Mute(Mute()))

    assert "OpenTelemetry cannot be written" in capsys.readouterr().err
