"""What `run-job` shows on a terminal while a job runs."""

import io
import threading

import pytest

from service.cli import run_progress
from service.cli.run_progress import RunProgress, Terminal
from service.integrations.http.sleep import InstrumentedSleep
from service.shutdown import StopSignal


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Screen(io.StringIO):
    """A terminal, or a file. `written` is set as soon as something is on it."""

    def __init__(self, *, is_terminal=True, error=None):
        super().__init__()
        self._is_terminal, self._error = is_terminal, error
        self.written = threading.Event()

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.written.set()
        if self._error:
            raise self._error
        return super().write(text)


class Context:
    def for_run(self, progress):
        return ("context of", progress)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(run_progress, "_REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(run_progress, "_LINE_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")


def test_the_counts_of_the_run_and_what_it_waits_for_are_one_line():
    clock, counts = Clock(), {}
    progress = RunProgress("sync_wb_reviews", clock)

    assert progress.observe(Context()).for_run(counts) == ("context of", counts)
    assert progress.text() == "sync_wb_reviews: 0s"
    counts.update(pages=3, new=1200, changed=0, failed={"a": "b"}, paused_until="later")
    clock.now += 62
    progress.on_wait("wb", "pace", 41.5)
    assert progress.text() == ("sync_wb_reviews: 1m 2s · pages 3 · new 1,200 · waiting 42s for the rate limit of wb")
    progress.on_wait("ozon", "backoff", 1.5)
    assert progress.text().endswith(" · waiting 2s for the next attempt at ozon")
    clock.now += 2
    assert progress.text() == "sync_wb_reviews: 1m 4s · pages 3 · new 1,200"


def test_a_wait_is_shown_when_it_begins():
    begun, waited, stopped = [], [], StopSignal()
    sleep = InstrumentedSleep(
        stopped, lambda *about: waited.append(about), lambda *about: begun.append((*about, *waited))
    )

    sleep.for_service("wb")(0.001, "pace")
    sleep.until_answered().for_service("ozon")(0.001, "backoff")

    assert [about[:3] for about in begun] == [("wb", "pace", 0.001), ("ozon", "backoff", 0.001)]
    assert begun[0] == ("wb", "pace", 0.001)


def test_one_line_is_written_anew_and_cleared_at_the_end():
    screen = Screen()

    with RunProgress("sync").shown(Terminal.of(screen)):
        assert screen.written.wait(30)

    assert screen.getvalue().startswith("\r\x1b[Ksync: 0s\r")
    assert screen.getvalue().endswith("\r\x1b[K")
    assert "\n" not in screen.getvalue()


def test_a_line_is_no_longer_than_the_terminal_is_wide_and_shows_no_secret():
    screen, progress = Screen(), RunProgress("sync")
    progress.follow({"x" * 200: 1, "Authorization: Bearer abcdefghijklmnop": 1})

    with progress.shown(Terminal.of(screen)):
        assert screen.written.wait(30)

    assert all(len(line.strip()) < 80 for line in screen.getvalue().split("\r\x1b[K"))
    assert "abcdefgh" not in screen.getvalue()


def test_a_terminal_that_cannot_rewrite_a_line_gets_whole_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()

    with RunProgress("sync").shown(Terminal.of(screen)):
        assert screen.written.wait(30)

    assert screen.getvalue().splitlines()[0] == "sync: 0s"
    assert "\x1b" not in screen.getvalue()


def test_without_a_terminal_nothing_is_shown():
    assert Terminal.of(Screen(is_terminal=False)) is None

    with RunProgress("sync").shown(None):
        assert "run-progress" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("closed"), BrokenPipeError()])
def test_a_terminal_that_was_closed_does_not_disturb_the_run(error):
    screen, ran = Screen(error=error), []

    with RunProgress("sync").shown(Terminal.of(screen)):
        assert screen.written.wait(30)
        ran.append(True)

    assert ran == [True]


def test_an_error_of_the_run_is_raised_and_the_line_cleared():
    screen = Screen()

    with pytest.raises(KeyError), RunProgress("sync").shown(Terminal.of(screen)):  # noqa: PT012  # the wait is part of it
        assert screen.written.wait(30)
        raise KeyError

    assert screen.getvalue().endswith("\x1b[K")
