import gc
import logging
import os
import signal
import sys
import threading
import weakref

import pytest

from telemetry.logs.background import queued_handler
from telemetry.logs.background.log_writer import CAPACITY, RESERVED_FOR_ERRORS, LogWriter, flush_all
from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.logs.background.record_copy import MAX_MESSAGE_CHARACTERS, copy_record
from telemetry.logs.background.repeat_filter import RepeatFilter
from telemetry.logs.handlers import FailsafeHandler
from telemetry.logs.rotating_file import RotatingFileHandler
from telemetry.threads import worker_thread as worker
from tests.support.forking import in_child


class Lines(FailsafeHandler, logging.Handler):
    """Keeps its lines. While `gate` is closed it hangs, as a file on a dead server does."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.threads: set[int] = set()
        self.is_closed = False
        self.gate = threading.Event()
        self.gate.set()

    def emit(self, record: logging.LogRecord) -> None:
        assert self.gate.wait(60)
        self.lines.append(record.getMessage())
        self.threads.add(threading.get_ident())

    def close(self) -> None:
        self.is_closed = True
        super().close()


class Stage:
    def __init__(self, *, with_filter: bool = False) -> None:
        self.handler = Lines()
        self.writer = LogWriter("log_test", [self.handler], RepeatFilter() if with_filter else None)
        self.queued = QueuedHandler(self.writer)
        self.log = logging.Logger("tests.writer")  # noqa: LOG001  # the root's handlers do not get its records
        self.log.addHandler(self.queued)

    def hang(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the handler hang in a record, and the caller have noticed it."""
        monkeypatch.setattr(queued_handler, "DEADLINE", 0.01)
        self.handler.gate.clear()
        self.log.error("hangs")
        assert self.writer.worker.is_behind

    def recover(self) -> None:
        self.handler.gate.set()
        assert flush_all(30)


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.handler.gate.set()
    made.queued.close()


def test_a_line_is_written_in_order_in_another_thread_before_the_call_returns(stage):
    for number in range(50):
        stage.log.info("line %d", number)
        assert stage.handler.lines == [f"line {each}" for each in range(number + 1)]

    assert threading.get_ident() not in stage.handler.threads


def test_an_error_that_hangs_lets_its_caller_go_on_and_is_counted(stage, monkeypatch):
    stage.hang(monkeypatch)
    monkeypatch.setattr(queued_handler, "DEADLINE", 60.0)

    stage.log.error("nobody waits for this")  # the test would take a minute
    stage.log.info("nor for this")

    assert stage.handler.lines == []
    assert stage.writer.late == 2
    stage.recover()
    assert stage.handler.lines == ["hangs", "nobody waits for this", "nor for this"]
    assert stage.writer.dropped == 0


def test_when_the_queue_is_written_callers_wait_again(stage, monkeypatch):
    stage.hang(monkeypatch)
    stage.recover()
    monkeypatch.setattr(queued_handler, "DEADLINE", 60.0)
    stage.log.info("brings the writer up to date")

    stage.log.error("written")

    assert stage.handler.lines[-1] == "written"


def test_lines_are_dropped_before_errors_and_each_is_counted(stage, monkeypatch):
    stage.hang(monkeypatch)
    for number in range(CAPACITY):
        stage.log.warning("line %d", number)
    dropped = stage.writer.dropped
    for number in range(RESERVED_FOR_ERRORS):
        stage.log.error("error %d", number)

    assert RESERVED_FOR_ERRORS - 2 <= dropped <= RESERVED_FOR_ERRORS
    assert stage.writer.dropped - dropped <= 1
    assert stage.writer.worker.size <= CAPACITY
    stage.recover()
    assert [line for line in stage.handler.lines if line.startswith("error")][:3] == ["error 0", "error 1", "error 2"]


def test_the_queue_is_bounded_in_bytes_as_well(stage, monkeypatch):
    stage.hang(monkeypatch)
    for _ in range(200):
        stage.log.error("%s", "x" * 10_000_000)

    assert stage.writer.worker.size <= CAPACITY
    assert stage.writer.dropped > 100
    stage.recover()
    assert max(map(len, stage.handler.lines)) < MAX_MESSAGE_CHARACTERS + 100


def test_two_threads_that_log_keep_their_own_order(stage):
    def work(name):
        for number in range(200):
            stage.log.info("%s %d", name, number)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for name in "ab":
        assert [line for line in stage.handler.lines if line.startswith(name)] == [
            f"{name} {each}" for each in range(200)
        ]


def test_what_a_record_refers_to_is_freed_in_the_thread_of_the_caller(stage):
    class Held(Exception):
        pass

    freed_in = []

    def fail():
        error = Held()
        weakref.finalize(error, lambda: freed_in.append(threading.get_ident()))
        stage.log.error("no", exc_info=error)

    for _ in range(20):
        fail()
    gc.collect()

    assert set(freed_in) == {threading.get_ident()}


def test_what_the_caller_changes_afterwards_is_written_as_it_was(stage, monkeypatch):
    seen = []
    monkeypatch.setattr(stage.handler, "emit", lambda record: seen.append((record.getMessage(), record.basket)))
    basket, goods = {"items": [1]}, ["milk"]

    with stage.writer.worker._running:  # the writer comes to the line later: this step is before it
        stage.writer.worker.put(lambda: None)
        thread = threading.Thread(target=stage.log.info, args=("%s", goods), kwargs={"extra": {"basket": basket}})
        thread.start()
        while not stage.writer.worker.size and thread.is_alive():
            pass
        goods.append("bread")
        basket["items"].append(2)
    thread.join()

    assert seen == [("['milk']", {"items": [1]})]


def test_a_handler_that_logs_does_not_wait_for_itself(stage, monkeypatch):
    monkeypatch.setattr(queued_handler, "DEADLINE", 60.0)
    emit = stage.handler.emit

    def emits_and_logs(record):
        emit(record)
        if record.getMessage() == "outer":
            stage.log.error("inner")

    monkeypatch.setattr(stage.handler, "emit", emits_and_logs)

    stage.log.error("outer")
    assert flush_all(30)

    assert stage.handler.lines == ["outer", "inner"]


def test_a_step_that_hangs_does_not_keep_the_handler_from_being_closed(stage, monkeypatch):
    monkeypatch.setattr(queued_handler, "CLOSE_TIMEOUT", 0.01)
    stage.hang(monkeypatch)

    stage.queued.close()

    assert not stage.handler.is_closed


def test_closing_writes_what_is_queued_and_ends_the_thread(stage):
    stage.log.info("last")
    thread = stage.writer.worker._thread
    stage.queued.close()
    thread.join(30)

    assert stage.handler.lines == ["last"]
    assert stage.handler.is_closed
    assert not thread.is_alive()


def test_a_record_that_another_thread_hands_over_after_the_detachment_starts_no_thread(stage):
    stage.log.error("first")
    stage.writer.detach(30)

    stage.log.error("late")
    receipt = stage.writer.submit(stage.log.makeRecord("tests", logging.ERROR, __file__, 1, "asked before", (), None))

    assert (stage.handler.lines, receipt, stage.writer.dropped) == (["first"], None, 0)
    assert "log-test" not in {thread.name for thread in threading.enumerate()}


def test_a_flush_does_not_wake_a_writer_that_is_closed(stage):
    stage.log.info("last")
    thread = stage.writer.worker._thread
    stage.queued.close()
    thread.join(30)

    assert flush_all(30)
    assert stage.writer.worker._thread is None
    stage.log.info("later")
    assert flush_all(30)
    assert stage.handler.lines == ["last", "later"]


if sys.version_info >= (3, 12):  # before, a filter only accepts or rejects

    def test_a_filter_may_replace_the_record(stage):
        stage.queued.addFilter(lambda record: logging.makeLogRecord({**vars(record), "msg": "short"}))

        stage.log.info("long")

        assert stage.handler.lines == ["short"]


def test_where_no_thread_can_be_started_the_caller_writes(stage, monkeypatch):
    monkeypatch.setattr(worker, "is_started", lambda _: False)

    stage.log.info("here")

    assert stage.handler.lines == ["here"]
    assert stage.handler.threads == {threading.get_ident()}


def test_a_log_call_that_interrupts_the_caller_who_writes_is_written_after_it(stage, monkeypatch):
    monkeypatch.setattr(worker, "is_started", lambda _: False)
    emit = stage.handler.emit

    def interrupted(record):
        if record.getMessage() == "outer":
            stage.log.error("inner")
        emit(record)

    monkeypatch.setattr(queued_handler, "DEADLINE", 0.01)
    monkeypatch.setattr(stage.handler, "emit", interrupted)

    stage.log.info("outer")

    assert stage.handler.lines == ["outer", "inner"]


def test_counts_of_repeats_are_written_when_all_is_flushed():
    stage = Stage(with_filter=True)
    for _ in range(3):
        stage.log.info("again")

    assert flush_all(30)
    stage.queued.close()

    assert stage.handler.lines == ["again", "again (2 times more within 10 s)"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_writes_its_own_lines_and_none_of_its_parent(stage, monkeypatch, tmp_path):
    stage.hang(monkeypatch)
    stage.log.info("queued in the parent")

    child = os.fork()
    if not child:
        stage.handler.gate.set()
        monkeypatch.setattr(queued_handler, "DEADLINE", 60.0)
        stage.log.error("in the child")
        (tmp_path / "child").write_text("\n".join(stage.handler.lines))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    stage.recover()

    assert (tmp_path / "child").read_text() == "in the child"
    assert stage.handler.lines == ["hangs", "queued in the parent"]


def test_a_child_opens_its_log_files_anew(tmp_path):
    """A file that is shared with the parent also shares its position, and the lines that are not flushed yet."""
    handler = RotatingFileHandler(tmp_path / "child.log", logging.INFO)
    writer = LogWriter("files", [handler])
    try:
        assert writer.run(lambda: handler.emit(logging.makeLogRecord({"msg": "in the parent"})), 30)
        assert handler.stream is not None

        assert in_child(lambda: handler.stream is None) is True
        assert handler.stream is not None
    finally:
        writer.close(30)


def test_a_copy_has_no_arguments_and_containers_of_its_own():
    tags = {"a", "b"}
    record = logging.makeLogRecord({"msg": "%d of %s", "args": (1, "x"), "tags": tags, "pairs": [(1, {"k": [2]})]})

    copy = copy_record(record)

    assert (copy.msg, copy.args, copy.tags, copy.pairs) == ("1 of x", (), tags, [(1, {"k": [2]})])
    assert copy.tags is not tags


def test_the_first_record_that_logs_again_while_its_thread_starts_is_in_order(stage):
    emit, nested = stage.handler.emit, []

    def emits_and_logs(record):
        if not nested:
            nested.append(True)
            stage.log.info("second")
            stage.log.info("third")
        emit(record)

    stage.handler.emit = emits_and_logs
    for _ in range(20):
        nested.clear()
        stage.handler.lines.clear()
        stage.log.info("first")
        assert flush_all(30)
        assert stage.handler.lines == ["first", "second", "third"]
        thread = stage.writer.worker._thread
        stage.writer.close(30)
        thread.join(30)


def test_each_writer_has_a_record_of_its_own_since_formatters_add_to_theirs():
    records = []

    class Kept(Lines):
        def emit(self, record):
            records.append(record)
            super().emit(record)

    queued = QueuedHandler(LogWriter("log_one", [Kept()]), LogWriter("log_two", [Kept()]))
    log = logging.Logger("tests.writer")  # noqa: LOG001  # the root's handlers do not get its records
    log.addHandler(queued)

    log.error("no", extra={"sku": 1})

    one, two = records
    assert one is not two
    assert vars(one) == vars(two)
    queued.close()
