"""Schedules of faults: what a machine reports, and what goes wrong with Telegram and with the sender meanwhile, from a seed."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.support.telegram_server import FAULTS, HandClock, Killed, StrictTelegram
from tests.unit.telemetry.alerts.conftest import Machine, alert

DOUBT: Final = "This may be a repeat"
_DOUBTFUL: Final = frozenset({"5xx", "late", "reset", "killed before", "killed after"})


class Schedule:
    """`play` reports some alerts, each some times, through faults, and then waits until everything is told."""

    def __init__(self, seed: int, make_machine: Callable[..., Machine], clock: HandClock) -> None:
        self._random = Random(seed)
        self._clock = clock
        self.faults: Counter[str] = Counter()
        self.reported: Counter[str] = Counter()
        self._share = self._random.choice((0.2, 0.5, 0.8))
        self._left = self._random.randint(3, 25)
        self.telegram = StrictTelegram(clock, self._fault)
        self.machine = make_machine(self.telegram)

    def _fault(self, _method: str) -> str | None:
        if self._left <= 0 or self._random.random() > self._share:
            return None
        self._left -= 1
        fault = self._random.choice(FAULTS)
        self.faults[fault] += 1
        return fault

    def play(self) -> None:
        for _ in range(self._random.randint(1, 6)):
            self._report()
            self._go_on(self._random.choice((0.0, 2.0, 20.0, 90.0)))
        self._left = min(self._left, 3)
        self.machine.run_to_the_end()
        self._left = 0
        self._clock.forward(61)
        self.machine.run(75, step=5)

    def _report(self) -> None:
        for _ in range(self._random.choice((1, 1, 2, 5, 25))):
            name = f"kind{self._random.randint(0, 40):02}"
            self.reported[name] += 1
            self.machine.report(alert(name, at=self._clock()))
        self.machine.desk.flush()  # a repeat that is only counted in memory may be lost with its process

    def _go_on(self, seconds: float) -> None:
        try:
            self.machine.run(seconds, step=1)
        except Killed:
            self.machine.start()

    @property
    def doubts(self) -> int:
        """How often it was not known whether a message had arrived."""
        return sum(number for fault, number in self.faults.items() if fault in _DOUBTFUL)

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """The messages that speak of each kind."""
        return {
            name: [each for each in self.telegram.messages if f"{name} failed" in each["text"]]
            for name in self.reported
        }


def judge(schedule: Schedule) -> None:
    """Each kind is told; more than once only where that was not known, and then it says so; and every one is counted."""
    told = schedule.told()
    assert all(told.values()), [name for name, messages in told.items() if not messages]
    assert all(DOUBT in repeat["text"] for messages in told.values() for repeat in messages[1:])
    texts = [message["text"] for message in schedule.telegram.messages]
    marked = sum(DOUBT in text for text in texts)
    assert len(texts) - len({_without_marks(text) for text in texts}) <= schedule.doubts
    assert marked <= schedule.doubts
    counted = {
        told.incident.fingerprint: told.incident
        for told in schedule.machine.overview.page(schedule.machine.clock(), limit=100)
    }
    assert {name: incident.count for name, incident in counted.items()} == dict(schedule.reported)
    assert all(incident.told_count == incident.count for incident in counted.values())
    assert {status for _, method, status in schedule.telegram.calls if method != "editMessageText"} <= {200, 429, 502}


def _without_marks(text: str) -> str:
    return text.partition(DOUBT)[0].partition("×")[0].rstrip()
