"""Counts wrong tokens by the address that has sent them: ten a minute are enough for that minute."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

MAX_ATTEMPTS: Final = 10
WINDOW_SECONDS: Final = 60.0
_MAX_ADDRESSES: Final = 10_000


class WrongAttempts:
    """The wrong attempts of the last minute, in this process. The address that was quiet for longest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def are_too_many(self, address: str) -> bool:
        with self._guard:
            return len(self._recent(address)) >= MAX_ATTEMPTS

    def note(self, address: str) -> None:
        with self._guard:
            times = self._recent(address)
            times.append(self._clock())
            self._times[address] = times
            self._times.move_to_end(address)
            if len(self._times) > _MAX_ADDRESSES:
                self._times.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._times.get(address) or deque(maxlen=MAX_ATTEMPTS)
        while times and self._clock() - times[0] >= WINDOW_SECONDS:
            times.popleft()
        return times
