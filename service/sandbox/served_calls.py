"""Counts the calls that the fake services have served: by the fault that was injected, and by status."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

NO_FAULT: Final = ""


class ServedCall(NamedTuple):
    """What became of a call.

    Attributes:
        service: the fake service, such as `wb`.
        fault: the kind of the fault that was injected; "" without one.
        status: the status that the client got; None if the response was cut.
        reached: the status of the service itself; None if the fault came before the service.
    """

    service: str
    fault: str
    status: int | None
    reached: int | None


class ServedCalls:
    """The numbers of all calls. Faults, services and statuses are few, so it stays small."""

    def __init__(self) -> None:
        self._numbers: Counter[ServedCall] = Counter()

    def add(self, call: ServedCall) -> None:
        self._numbers[call] += 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for call, number in self._numbers.items():
            yield {**call._asdict(), "calls": number}
