"""The order in which a sync reads its lists: first the one that has waited longest.

An account with few calls an hour reads one list per sync. Without turns that would always be the first one.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.integrations.http.errors import RateLimited
from service.sync.positions import SyncPositions
from telemetry.database import transaction


class Turns:
    """Kept as the position of the source `name`, which stands for the reviews that are read one by one."""

    def __init__(self, engine: Engine, name: str, waiting: Iterable[str], now: Callable[[], datetime]) -> None:
        """`waiting` are the names of the lists of reviews that wait for an answer."""
        self.name = name
        self._waiting = frozenset(waiting)
        self._began: dict[str, float] = {}
        self._engine = engine
        self._now = now
        with transaction(engine) as session:
            position, _ = SyncPositions(session).start(name, now())
        self._turns: dict[str, int] = dict(position.get("turns", {}))
        self._since: float | None = position.get("since")

    def order(self, steps: Iterable[str]) -> Sequence[str]:
        """The steps, the one whose last turn is the longest ago first."""
        return sorted(steps, key=lambda step: self._turns.get(step, 0))

    @contextmanager
    def taken(self, step: str, progress: Callable[[], object]) -> Iterator[None]:
        """The turn of one step. A pause before any progress is none: the step is then before the others the next time."""
        before = progress()
        try:
            yield
        except SQLAlchemyError:
            raise
        except Exception as error:
            if not isinstance(error, RateLimited) or progress() != before:
                self._take(step)
            raise
        self._take(step)

    def has_read(self, source: str, began_at: datetime) -> None:
        """A list of waiting reviews was read to its end. Lists of different syncs may have missed a review that moved."""
        self._began[source] = began_at.timestamp()
        if self._began.keys() >= self._waiting:
            self._since = min(self._began.values())

    @property
    def waiting_since(self) -> datetime | None:
        """When the last reading of all lists of waiting reviews began; None if there was none."""
        return None if self._since is None else datetime.fromtimestamp(self._since, UTC)

    def finish(self) -> None:
        """The reviews that were to be read one by one have been read."""
        with transaction(self._engine) as session:
            SyncPositions(session).finish(self.name, self._now())

    def note_error(self, reason: str, failed: Container[str]) -> None:
        """Keep why reviews could not be read one by one, at the lists in which they are missing. Failed ones have their own."""
        with suppress(SQLAlchemyError), transaction(self._engine) as session:
            for source in sorted(name for name in self._waiting if name not in failed):
                SyncPositions(session).note_error(source, reason, self._now())

    def _take(self, step: str) -> None:
        self._turns[step] = 1 + max(self._turns.values(), default=0)
        with transaction(self._engine) as session:
            SyncPositions(session).advance(self.name, {"turns": self._turns, "since": self._since}, self._now())
