"""Sends each freshness alert once, whichever of several processes and machines notices it first, also after a restart."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.engine import Engine

from service.database.freshness_tables import SentAlertRow
from service.database.upsert import insert_into
from service.sync.freshness.findings import (
    PREFIX,
    ConditionReading,
    HoldTimer,
    drafting_stuck,
    expiring_credentials,
    invalid_share,
    stale_source,
)
from service.sync.freshness.snapshot import FreshnessSnapshot
from service.sync.freshness.streams import MonitoredSource
from telemetry.alerts import ConditionPeriod, condition
from telemetry.database import transaction

OpenConditions = Callable[[str], Mapping[str, float]]
"""The keys with this prefix of the conditions that are firing on this machine, and since when, in Unix time."""


class FreshnessAlerts:
    """The table `sent_alerts` says what was sent. Each machine resolves the alerts that it has sent."""

    def __init__(
        self,
        engine: Engine,
        sources: Iterable[MonitoredSource],
        drafting_cadence: timedelta | None,
        open_conditions: OpenConditions,
        elapsed: Callable[[], float],
    ) -> None:
        """`drafting_cadence` is None where drafting is not scheduled."""
        self._engine = engine
        self._sources = tuple(sources)
        self._streams = {source.stream.name for source in self._sources}
        self._drafting_cadence = drafting_cadence
        self._open_conditions = open_conditions
        self._timer = HoldTimer(elapsed)

    def evaluate(self, snapshot: FreshnessSnapshot) -> None:
        """Fire and resolve.

        Raises:
            SQLAlchemyError: the database is unavailable.
        """
        findings = list(self._findings(snapshot))
        for finding in findings:
            if finding.presence == "on" and finding.condition.key not in snapshot.sent:
                self._fire_once(finding, snapshot)
        over = {finding.condition.key: finding.condition for finding in findings if finding.presence == "off"}
        if ended := snapshot.sent & over.keys():
            self._forget(ended)
        now = snapshot.taken_at.timestamp()
        for key, began in self._open_conditions(PREFIX).items():
            if key in over:
                condition.resolve(over[key], ConditionPeriod(began, now, now))

    def _findings(self, snapshot: FreshnessSnapshot) -> Iterator[ConditionReading]:
        now = snapshot.taken_at
        yield from (stale_source(source, snapshot, self._timer) for source in self._sources)
        yield from (invalid_share(name, run) for name, run in snapshot.last_runs.items() if name in self._streams)
        yield from expiring_credentials(snapshot.expiries, now)
        if self._drafting_cadence is not None:
            yield drafting_stuck(snapshot.drafting, now, self._drafting_cadence, self._timer)

    def _fire_once(self, finding: ConditionReading, snapshot: FreshnessSnapshot) -> None:
        """Fires before the commit: a crash in between repeats an alert, and loses none."""
        with transaction(self._engine) as session:
            insert = insert_into(session, SentAlertRow).values(key=finding.condition.key, sent_at=snapshot.taken_at)
            if session.scalar(insert.on_conflict_do_nothing().returning(SentAlertRow.key)) is not None:
                condition.fire(finding.condition)

    def _forget(self, keys: Collection[str]) -> None:
        with transaction(self._engine) as session:
            session.execute(delete(SentAlertRow).where(SentAlertRow.key.in_(keys)))
