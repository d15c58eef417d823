import logging

import pytest

from telemetry.logs.repeat_filter import MAX_KNOWN_LINES, WINDOW_SECONDS, RepeatFilter


class RecordingHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


class Stage:
    def __init__(self) -> None:
        self.now = 100.0
        self.repeat_filter = RepeatFilter(lambda: self.now)
        self.handlers = [RecordingHandler(), RecordingHandler()]
        self.log = logging.getLogger("tests.repeats")
        self.log.handlers = self.handlers
        self.log.setLevel(logging.DEBUG)
        self.log.propagate = False
        for handler in self.handlers:
            handler.addFilter(self.repeat_filter)

    @property
    def lines(self) -> list[str]:
        assert self.handlers[0].lines == self.handlers[1].lines
        return self.handlers[0].lines


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.log.handlers = []
    made.log.propagate = True


def test_the_first_is_written_the_others_are_counted_in_one(stage):
    for _ in range(1235):
        stage.log.info("page %d is empty", 7)
    assert stage.lines == ["INFO page 7 is empty"]

    stage.now += WINDOW_SECONDS
    stage.log.info("page %d is empty", 7)

    assert stage.lines == [
        "INFO page 7 is empty",
        "INFO page 7 is empty (1,234 times more within 10 s)",
        "INFO page 7 is empty",
    ]


def test_any_other_line_brings_the_counts_of_those_whose_window_has_ended(stage):
    for _ in range(2):
        stage.log.warning("slow")

    stage.now += WINDOW_SECONDS
    stage.log.info("something else")

    assert stage.lines == ["WARNING slow", "WARNING slow (once more within 10 s)", "INFO something else"]


def test_lines_that_differ_in_anything_are_all_written(stage):
    stage.log.info("a %d", 1)
    stage.log.info("a %d", 2)
    stage.log.debug("a %d", 1)

    assert stage.lines == ["INFO a 1", "INFO a 2", "DEBUG a 1"]


def test_what_came_once_leaves_nothing_behind(stage):
    stage.log.info("once")
    stage.now += WINDOW_SECONDS
    stage.log.info("once")
    stage.repeat_filter.flush()

    assert stage.lines == ["INFO once", "INFO once"]


def test_errors_and_tracebacks_are_never_left_out(stage):
    for _ in range(3):
        stage.log.error("no")
        stage.log.critical("no!")
        stage.log.warning("why", exc_info=ValueError("x"))

    assert len(stage.lines) == 9


def test_at_the_end_the_counts_are_logged(stage):
    for _ in range(3):
        stage.log.info("again")

    stage.repeat_filter.flush()
    stage.repeat_filter.flush()

    assert stage.lines == ["INFO again", "INFO again (2 times more within 10 s)"]


def test_a_record_that_cannot_be_read_is_left_to_its_handlers(stage):
    record = {"msg": "%d", "args": ("x",), "levelno": logging.INFO}

    assert stage.repeat_filter.filter(logging.makeLogRecord(record))
    assert stage.repeat_filter.filter(logging.makeLogRecord(record))


def test_very_many_different_lines_are_written_and_no_memory_grows(stage):
    for number in range(MAX_KNOWN_LINES + 500):
        stage.log.info("line %d", number)

    assert len(stage.lines) == MAX_KNOWN_LINES + 500
    assert len(stage.repeat_filter._lines) == MAX_KNOWN_LINES
