import logging

import pytest

from telemetry.logs.background.repeat_filter import MAX_KNOWN_CHARACTERS, MAX_KNOWN_LINES, WINDOW_SECONDS, RepeatFilter


class Stage:
    """A logger whose records pass a filter on a clock of its own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.repeat_filter = RepeatFilter(lambda: self.now)
        self.lines: list[str] = []
        self.log = logging.Logger("tests.repeats")  # noqa: LOG001  # the root's handlers do not get its records
        self.log.handle = lambda record: self.write(self.repeat_filter.admit(record))

    def write(self, records: list[logging.LogRecord]) -> None:
        self.lines += [f"{record.levelname} {record.getMessage()}" for record in records]


@pytest.fixture
def stage():
    return Stage()


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
    stage.write(stage.repeat_filter.flush())

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

    stage.write(stage.repeat_filter.flush())
    stage.write(stage.repeat_filter.flush())

    assert stage.lines == ["INFO again", "INFO again (2 times more within 10 s)"]


def test_very_many_different_lines_are_written_and_no_memory_grows(stage):
    for number in range(MAX_KNOWN_LINES + 500):
        stage.log.info("line %d", number)

    assert len(stage.lines) == MAX_KNOWN_LINES + 500
    assert len(stage.repeat_filter._lines) == MAX_KNOWN_LINES


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"text": "x" * 100_000},
        {"raw": b"x" * 100_000},
        {"rows": [{"id": "x" * 50}] * 2000},
        {"numbers": {"all": list(range(10_000))}},
    ],
    ids=lambda extra: "".join(extra) or "message",
)
def test_very_long_lines_are_written_and_no_memory_grows(stage, extra):
    lines = [f"{number} {'' if extra else 'x' * 100_000}" for number in range(60)]

    for line in lines:
        stage.log.info(line, extra=extra)

    assert stage.lines == [f"INFO {line}" for line in lines]
    assert len(stage.repeat_filter._lines) <= MAX_KNOWN_CHARACTERS // 100_000


def test_what_was_counted_makes_room_for_further_lines(stage):
    for second in range(3):
        stage.log.info("%d %s", second, "x" * (MAX_KNOWN_CHARACTERS // 3))
        stage.log.info("short")
        stage.log.info("short")
        stage.now += WINDOW_SECONDS

    assert stage.lines.count("INFO short") == 3
    assert stage.repeat_filter._characters < MAX_KNOWN_CHARACTERS
    stage.repeat_filter.flush()
    assert stage.repeat_filter._characters == 0
