"""Light traffic with a known number of answers."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import httpx

from tests.support.processes import Program
from tests.support.sandboxed_service import OPS_TOKEN

Answer = tuple[str, str]
"""The route's template and the status."""
_PATHS: Final = (
    ("/jobs/status", "/jobs/status"),
    ("/api/v1/reviews?limit=5", "/api/v1/reviews"),
    ("/api/v1/orders?limit=5", "/api/v1/orders"),
    ("/api/v1/reviews/999999999", "/api/v1/reviews/{review_id}"),
    ("/jobs/stats/nobody", "/jobs/stats/{job_name}"),
    ("/nowhere", "unmatched"),
)
_HEADERS: Final = {"Authorization": f"Bearer {OPS_TOKEN}"}
_BETWEEN: Final = 0.2
_PATIENCE: Final = 600
"""Seconds: a request that was given up might be counted or not."""


@dataclass
class Traffic:
    """Five requests a second, until it is paused or stopped; `answered` is the truth that both ways must tell."""

    service: Program
    chance: random.Random
    answered: Counter[Answer] = field(default_factory=Counter)
    unanswered: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def resume(self, service: Program) -> None:
        self.service = service
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Returns when no request is on its way."""
        self._stop.set()
        if self._thread:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        with httpx.Client(base_url=self.service.url, trust_env=False, timeout=_PATIENCE, headers=_HEADERS) as client:
            while not self._stop.wait(self.chance.uniform(0, 2 * _BETWEEN)):
                path, route = self.chance.choice(_PATHS)
                try:
                    status = client.get(path).status_code
                except httpx.TransportError:
                    self.unanswered += 1
                    time.sleep(_BETWEEN)
                else:
                    self.answered[route, str(status)] += 1
