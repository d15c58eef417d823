"""What is remembered is activated once for a process and its data directory, and ends with the telemetry."""

import logging
import threading

import pytest

import telemetry
from telemetry import setup
from telemetry.jobs import monitor_job
from telemetry.logs.setup import setup_logging
from telemetry.settings import TelemetrySettings
from tests.support.forking import in_child


@pytest.fixture
def start(tmp_path):
    """Starts the telemetry with a data directory of its own, and shuts it down."""

    def begin(**settings):
        return telemetry.start(settings=TelemetrySettings(data_dir=tmp_path / "data", **settings), logs=False)

    yield begin
    telemetry.shutdown()


def file_of(tmp_path):
    return tmp_path / "data" / "recent.db"


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "recent-traces"]


def run_a_job(name="sync"):
    with monitor_job(name):
        logging.getLogger("shop").warning("odd")


def test_before_it_is_activated_there_is_no_file_and_no_thread(start, tmp_path):
    started = start()
    run_a_job()

    assert not started.recent.is_active
    assert threads() == []
    telemetry.shutdown()
    assert not file_of(tmp_path).exists()


def test_the_variable_keeps_it_off(start, tmp_path):
    started = start(telemetry_console=False)
    started.recent.activate()
    run_a_job()
    telemetry.shutdown()

    assert not started.recent.is_active
    assert not file_of(tmp_path).exists()


def test_the_end_of_a_process_writes_what_it_did(start):
    started = start()
    started.recent.activate()
    started.recent.activate()
    run_a_job()
    telemetry.shutdown()

    assert [each.name for each in started.recent.traces.search()] == ["sync"]
    assert "odd" in [line.message for line in started.recent.logs.search()]
    assert threads() == []


def test_later_telemetry_of_the_same_directory_is_active_at_once(start, tmp_path):
    start().recent.activate()
    telemetry.shutdown()

    assert start().recent.is_active
    telemetry.shutdown()
    elsewhere = TelemetrySettings(data_dir=tmp_path / "elsewhere")
    assert not telemetry.start(settings=elsewhere, logs=False).recent.is_active


def test_later_telemetry_of_the_same_directory_knows_where_the_console_is(start):
    start().recent.activate("/ops")
    telemetry.shutdown()

    is_of_console = start().recent._is_of_console

    assert [is_of_console(each) for each in ("/ops", "/ops/jobs")] == [True, True]
    assert [is_of_console(each) for each in ("/opsx", "/console")] == [False, False]


def test_lines_go_there_also_after_logging_is_set_up_again(start, tmp_path):
    started = start(log_dir=tmp_path / "log")
    started.recent.activate()
    handlers = list(logging.getLogger().handlers)
    try:
        setup_logging(started.settings)
        run_a_job()
        telemetry.shutdown()
    finally:
        logging.getLogger().handlers = handlers

    assert "odd" in [line.message for line in started.recent.logs.search()]


def test_after_the_end_nothing_is_queued(start):
    started = start()
    started.recent.activate()
    keeper = started.recent._keeper
    telemetry.shutdown()

    with started.tracer_provider.get_tracer("x").start_as_current_span("late"):
        logging.getLogger("shop").warning("late")

    assert keeper._writer.queue.size == 0


def test_its_own_metrics_are_on_the_page(start):
    started = start()
    started.recent.activate()
    keeper = started.recent._keeper
    run_a_job()
    keeper._writer._written_at = float("-inf")
    keeper._writer.step()
    started.recent._context.drops.count("span", "full", 3)

    page = started.metrics.page.render()[0].decode()

    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(values["telemetry_recent_bytes"]) >= 4096
    assert float(values["telemetry_recent_traces"]) == 1
    assert float(values['telemetry_recent_dropped_total{kind="span",reason="full"}']) == 3
    assert float(values['telemetry_queue_capacity{queue="recent"}']) == 8192
    assert 'telemetry_queue_size{queue="recent"}' in values


def test_a_child_starts_its_own_thread_with_its_first_span(start):
    started = start()
    started.recent.activate()
    run_a_job("parent")

    def in_it():
        with started.tracer_provider.get_tracer("x").start_as_current_span("child", attributes={"job.name": "child"}):
            pass
        threads_now = len(threads())
        keeper = started.recent._keeper
        done = keeper.shutdown(10)
        return [threads_now, done]

    assert in_child(in_it) == [1, True]
    telemetry.shutdown()
    assert sorted(each.name for each in started.recent.traces.search()) == ["child", "parent"]


def test_a_disk_that_fails_at_the_end_costs_no_error(start, tmp_path, caplog):
    started = start()
    started.recent.activate()
    run_a_job()

    def fail():
        raise OSError(28, "No space left on device")

    started.recent.database.writing = fail
    assert setup.current() is started
    telemetry.shutdown()

    assert "recent.db cannot be written (No space left on device)" in caplog.text
    assert started.recent._context.drops.numbers()["trace", "unwritable"] >= 1
