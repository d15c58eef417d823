"""What is done for all channels of incidents together: escalation, the measurement of incidents, and their state without Telegram."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from opentelemetry.metrics import Histogram, Meter

from telemetry import semconv
from telemetry.alerts.incident_delivery.due_deliveries import DeliveryTarget, levels_from
from telemetry.alerts.incident_delivery.escalations import EscalationPolicy, escalate
from telemetry.alerts.outbox.file import Outbox, OutboxBusy, OutboxVersion
from telemetry.failsafe import failsafe

INTERVAL: Final = 5.0
"""Seconds after which an unchanged outbox is looked at again, since escalations become due by the clock alone."""
_UNMEASURED: Final = (
    "measured < 2 AND (acknowledged_at IS NOT NULL OR ended_at IS NOT NULL) AND (measured = 0 OR ended_at IS NOT NULL)"
)
_IS_OPEN_SOMEWHERE: Final = (
    "EXISTS (SELECT 1 FROM deliveries WHERE incident_id = incidents.id AND NOT refused "
    "AND step <> 'resolve' AND (step <> '' OR begun <> ''))"
)
_MAX_MEASURED: Final = 500


class IncidentMeasurements:
    """Each incident's times are recorded once, by whichever process of the machine comes first."""

    def __init__(self, outbox: Outbox, meter: Meter) -> None:
        self._outbox = outbox
        self._acknowledge: Histogram = meter.create_histogram(
            semconv.ALERT_ACKNOWLEDGE,
            unit="s",
            description="From an alert's first report until a person acknowledged it.",
        )
        self._resolve: Histogram = meter.create_histogram(
            semconv.ALERT_RESOLVE,
            unit="s",
            description="From an alert's first report until its condition was resolved.",
        )

    def record(self) -> None:
        """Record what happened since the last time.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used now.
        """
        with self._outbox.read() as connection:
            if not _unmeasured(connection):
                return
        with self._outbox.transaction() as connection:
            rows = _unmeasured(connection)
            connection.executemany(
                "UPDATE incidents SET measured = iif(ended_at IS NULL, 1, 2) WHERE id = ?",
                [(row["id"],) for row in rows],
            )
        for row in rows:
            self._record(row)

    @failsafe
    def _record(self, row: sqlite3.Row) -> None:
        attributes = {semconv.ALERT_LEVEL: row["level"]}
        if row["acknowledged_at"] is not None and not row["measured"]:
            self._acknowledge.record(max(0.0, row["acknowledged_at"] - row["first_at"]), attributes)
        if row["ended"] == "resolved":
            self._resolve.record(max(0.0, row["ended_at"] - row["first_at"]), attributes)


def _unmeasured(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    return connection.execute(
        f"SELECT id, level, first_at, acknowledged_at, ended_at, ended, measured FROM incidents WHERE {_UNMEASURED} LIMIT {_MAX_MEASURED}"  # noqa: S608  # the constants above
    ).fetchall()


class UnsentIncidents:
    """Without Telegram and the webhook: an incident that no channel takes is recorded only, and does not wait to be sent.

    Its `told_post` is 0. One that a channel took has been sent, and its end as well once no channel has it open.
    """

    def __init__(self, outbox: Outbox, targets: Sequence[DeliveryTarget]) -> None:
        self._outbox = outbox
        wanted = {level for each in targets if not each.escalation_only for level in levels_from(each.lowest)}
        levels = ", ".join(f"'{level}'" for level in sorted(wanted))
        is_recorded_only = (
            f"told_post IS NULL AND muted_by IS NULL AND NOT {_IS_OPEN_SOMEWHERE} AND ("
            f"ended = 'resolved' OR (ended_at IS NULL AND level NOT IN ({levels}) AND due_at <= :now))"
        )
        is_over = f"told_post IS NOT NULL AND ended = 'resolved' AND NOT end_told AND NOT {_IS_OPEN_SOMEWHERE}"
        self._changes = (
            (is_recorded_only, "told_post = 0, told_count = count"),
            (is_over, "end_told = 1"),
        )

    def settle(self, now: float) -> None:
        """Update the incidents for which nothing has to be sent.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used now.
        """
        with self._outbox.read() as connection:
            is_due = any(
                connection.execute(f"SELECT 1 FROM incidents WHERE {where} LIMIT 1", {"now": now}).fetchone()  # noqa: S608  # the constants above
                for where, _ in self._changes
            )
        if is_due:
            with self._outbox.transaction() as connection:
                for where, change in self._changes:
                    connection.execute(f"UPDATE incidents SET {change} WHERE {where}", {"now": now})  # noqa: S608  # likewise


class IncidentBookkeeping:
    """Runs its parts when the outbox has changed, or after some seconds. One that fails does not keep the others from running."""

    def __init__(
        self,
        outbox: Outbox,
        measurements: IncidentMeasurements,
        clock: Callable[[], float],
        *,
        policy: EscalationPolicy | None = None,
        unsent: UnsentIncidents | None = None,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._parts: list[Callable[[float], object]] = [lambda _now: measurements.record()]
        if policy is not None and policy.targets:
            self._parts.append(lambda now: escalate(outbox, policy, now))
        if unsent is not None:
            self._parts.append(unsent.settle)
        self._version: OutboxVersion | None = None
        self._ran_at = 0.0

    def run(self) -> None:
        """Run the parts.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used now.
        """
        now = self._clock()
        with suppress(OutboxBusy):
            self._run(now)

    def _run(self, now: float) -> None:
        if self._outbox.version() == self._version and 0 <= now - self._ran_at < INTERVAL:
            return
        errors = list(_errors(self._parts, now))
        if errors:
            raise errors[0]
        self._ran_at, self._version = now, self._outbox.version()


def _errors(parts: Iterable[Callable[[float], object]], now: float) -> Iterable[Exception]:
    for part in parts:
        try:
            part(now)
        except OutboxBusy:
            continue  # another thread uses it: the next round tries again
        except (sqlite3.Error, OSError) as error:
            yield error
