import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation


def test_what_is_logged_while_telemetry_is_exported_is_not_fed_back(errors):
    with suppress_instrumentation():
        errors.logger("shop").error("the collector refuses")

    assert errors.counted() == {}


@pytest.mark.parametrize(
    "name",
    ["opentelemetry.exporter.otlp", "urllib3.connectionpool", "requests", "grpc._channel", "concurrent_log_handler"],
)
def test_what_the_exporters_log_is_not_fed_back(errors, name):
    errors.logger(name).error("the collector refuses")

    assert errors.counted() == {}


def test_a_logger_whose_name_only_begins_alike_is_heard(errors):
    errors.logger("requests_of_customers").error("broken")

    assert errors.counted() == {("log", "requests_of_customers"): 1}
