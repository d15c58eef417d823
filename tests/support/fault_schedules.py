"""Random schedules of alerts and faults of Telegram and of the sending process, made from a seed, and their checks."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.support.logged_failures import LoggedFailures
from tests.support.telegram_server import FAULTS, HandClock, Killed, StrictTelegram
from tests.unit.telemetry.alerts.conftest import Machine, alert

DUPLICATE_NOTICE: Final = "Possible duplicate"
_OUTCOME_UNKNOWN: Final = frozenset({"5xx", "foreign", "late", "reset", "killed before", "killed after"})
_UPGRADE_SHARE: Final = 0.1
_MIGRATION: Final = 400
_STATUSES: Final = frozenset({200, 429, 502, 403, _MIGRATION})


class Schedule:
    """`play` reports some alerts, each some times, through faults, and then waits until everything is sent."""

    def __init__(self, seed: int, make_machine: Callable[..., Machine], clock: HandClock) -> None:
        self._random = Random(seed)
        self._clock = clock
        self.has_moved = False
        self.faults: Counter[str] = Counter()
        self.reported: Counter[str] = Counter()
        self._share = self._random.choice((0.2, 0.5, 0.8))
        self._faults_left = self._random.randint(3, 25)
        self.telegram = StrictTelegram(clock, self._fault)
        self.machine = make_machine(self.telegram)

    def _fault(self, _method: str) -> str | None:
        if self._faults_left <= 0 or self._random.random() > self._share:
            return None
        self._faults_left -= 1
        fault = self._random.choice(FAULTS)
        self.faults[fault] += 1
        return fault

    def play(self) -> None:
        for _ in range(self._random.randint(1, 6)):
            self._report()
            self._run(self._random.choice((0.0, 2.0, 20.0, 90.0)))
            if self._random.random() < _UPGRADE_SHARE:
                self.telegram.upgrade_chat()
                self.has_moved = True
        self._faults_left = min(self._faults_left, 3)
        self.machine.run_until_sent()
        self._faults_left = 0
        self._clock.forward(61)
        self.machine.run(75, step=5)

    def _report(self) -> None:
        for _ in range(self._random.choice((1, 1, 2, 5, 25))):
            name = f"kind{self._random.randint(0, 40):02}"
            self.reported[name] += 1
            self.machine.report(alert(name, at=self._clock()))
        self.machine.deduplicator.flush()  # a repeat that is only in memory may be lost with its process

    def _run(self, seconds: float) -> None:
        try:
            self.machine.run(seconds, step=1)
        except Killed:
            self.machine.start()

    @property
    def unknown_outcomes(self) -> int:
        """How often it was unknown whether a message had arrived."""
        return sum(number for fault, number in self.faults.items() if fault in _OUTCOME_UNKNOWN)

    def messages(self) -> dict[str, list[dict[str, Any]]]:
        """The messages that tell of each kind."""
        return {
            name: [each for each in self.telegram.messages if f"{name} failed" in each["text"]]
            for name in self.reported
        }


class LoggedSchedule(Schedule):
    """What is reported comes from the log, with wrapped exceptions, groups and levels that rise."""

    def __init__(self, seed: int, make_machine: Callable[..., Machine], clock: HandClock) -> None:
        super().__init__(seed, make_machine, clock)
        self.failures = LoggedFailures(self._random, lambda: self.machine.deduplicator, clock)

    def play(self) -> None:
        with self.failures.logger() as self._log:
            super().play()

    def _report(self) -> None:
        self.failures.fail(self._log)
        self.machine.deduplicator.flush()


def check_logged(schedule: LoggedSchedule) -> None:
    """Each kind of failure is an incident of its own, counted, with the highest level of its occurrences, and was sent."""
    failures, texts = schedule.failures, "\n".join(each["text"] for each in schedule.telegram.messages)
    told: Counter[str] = Counter()
    for record in schedule.machine.queries.page(schedule.machine.clock(), limit=200):
        words = _words(record.incident.summary, record.incident.error)
        told[words] += record.incident.count
        assert record.incident.level == ("CRITICAL" if "CRITICAL" in failures.levels[words] else "ERROR"), words
        assert record.incident.notified_count == record.incident.count
        assert words in texts or record.incident.error in texts
    assert told == failures.expected


def _words(summary: str, error: str) -> str:
    return error.removeprefix("LookupError: ") if summary == "tasks failed" else summary


def check(schedule: Schedule) -> None:
    """Each kind is sent; a duplicate follows only an unknown outcome and says so; and every report is counted."""
    messages_of = schedule.messages()
    assert all(messages_of.values()), [name for name, messages in messages_of.items() if not messages]
    assert all(DUPLICATE_NOTICE in repeat["text"] for messages in messages_of.values() for repeat in messages[1:])
    texts = [message["text"] for message in schedule.telegram.messages]
    marked = sum(DUPLICATE_NOTICE in text for text in texts)
    assert len(texts) - len({_without_marks(text) for text in texts}) <= schedule.unknown_outcomes
    assert marked <= schedule.unknown_outcomes
    records = schedule.machine.queries.page(schedule.machine.clock(), limit=100)
    incidents = {record.incident.fingerprint: record.incident for record in records}
    assert {name: incident.count for name, incident in incidents.items()} == dict(schedule.reported)
    in_messages = [record.incident for record in records if record.message_id is not None]
    assert all(incident.notified_count == incident.count for incident in in_messages)
    assert len(in_messages) == len(records) or schedule.has_moved  # the messages of a group are gone with it
    assert {status for _, method, status in schedule.telegram.calls if method != "editMessageText"} <= _STATUSES


def _without_marks(text: str) -> str:
    return text.partition(DUPLICATE_NOTICE)[0].partition("×")[0].rstrip()
