import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from telemetry.sdk.feedback_guard import FeedbackGuard


@pytest.fixture
def exporter():
    return InMemoryLogRecordExporter()


@pytest.fixture
def provider(exporter):
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(FeedbackGuard(SimpleLogRecordProcessor(exporter)))
    yield provider
    provider.shutdown()


def emit(provider, name="shop"):
    provider.get_logger(name).emit(LogRecord(body="the collector refuses", severity_number=SeverityNumber.ERROR))


def test_other_records_are_exported(provider, exporter):
    emit(provider)
    emit(provider, "requests_of_customers")

    assert provider.force_flush()
    assert len(exporter.get_finished_logs()) == 2


def test_what_is_logged_while_telemetry_is_exported_is_not_exported(provider, exporter):
    with suppress_instrumentation():
        emit(provider)

    assert exporter.get_finished_logs() == ()


@pytest.mark.parametrize(
    "name",
    ["opentelemetry.exporter.otlp", "urllib3.connectionpool", "requests", "grpc._channel", "concurrent_log_handler"],
)
def test_what_the_exporters_log_is_not_exported(provider, exporter, name):
    emit(provider, name)

    assert exporter.get_finished_logs() == ()
