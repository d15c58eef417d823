"""Which step of which incident is due on a channel: one query for those that ended, one for those that are open."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident import COLUMNS_WITHOUT_STACK, Incident
from telemetry.alerts.incident_channels.incident_channel import IncidentChannel, IncidentStep
from telemetry.alerts.outbox.silences import IS_SILENCED

UPDATE_INTERVAL: Final = 60.0
"""Seconds between two updates of an incident, which show its count."""
REMIND_AFTER: Final = 86_400.0
"""Seconds after which an open incident is updated although its count is the same."""
MAX_DUE: Final = 20
"""Deliveries that are read at once."""
_COLUMNS: Final = ("step", "remote_id", "begun", "attempts", "escalated_at")
_DELIVERY: Final = ", ".join(f"d.{name} AS d_{name}" for name in _COLUMNS)
_ENDED_THERE: Final = (
    "d.channel = :channel AND d.step <> 'resolve' AND NOT d.refused AND (d.step <> '' OR d.begun <> '') "
    "AND incidents.ended_at IS NOT NULL"
)
_ENDED: Final = f"""
SELECT {COLUMNS_WITHOUT_STACK}, {_DELIVERY}, 'resolve' AS due
FROM deliveries AS d JOIN incidents ON incidents.id = d.incident_id WHERE {_ENDED_THERE} AND :id IN (0, incidents.id)
ORDER BY d.attempts, incidents.id LIMIT {MAX_DUE}
"""  # noqa: S608  # the constants above
# Where an earlier incident of the same key is still open, that is resolved first: the channel knows the key alone.
_OPEN: Final = f"""
SELECT * FROM (
    SELECT {COLUMNS_WITHOUT_STACK}, {_DELIVERY}, CASE
        WHEN coalesce(d.step, '') = '' THEN iif(
            due_at <= :now AND (d.escalated_at IS NOT NULL OR level IN (:info, :warning, :error, :critical))
            AND fingerprint NOT IN (SELECT d.key FROM deliveries AS d JOIN incidents ON incidents.id = d.incident_id
                WHERE {_ENDED_THERE} AND :can_resolve), 'open', NULL)
        WHEN d.step = 'open' AND acknowledged_at IS NOT NULL AND :can_acknowledge THEN 'acknowledge'
        WHEN :can_update AND d.at BETWEEN :now - {UPDATE_INTERVAL} AND :now THEN NULL
        WHEN :can_update AND (incidents.count > d.count OR d.at NOT BETWEEN :now - {REMIND_AFTER} AND :now) THEN 'update'
    END AS due
    FROM incidents LEFT JOIN deliveries AS d ON d.incident_id = incidents.id AND d.channel = :channel
    WHERE incidents.ended_at IS NULL AND incidents.muted_by IS NULL AND NOT coalesce(d.refused, 0) AND NOT {IS_SILENCED}
    AND :id IN (0, incidents.id)
) WHERE due IS NOT NULL
ORDER BY coalesce(d_attempts, 0), instr('open acknowledge update', due), id LIMIT {MAX_DUE}
"""  # noqa: S608  # the constants above


class DeliveryTarget(Protocol):
    """A channel with the lowest level of the incidents that go there; to one for escalations alone, only escalated ones do."""

    @property
    def name(self) -> str: ...
    @property
    def lowest(self) -> AlertLevel: ...
    @property
    def channel(self) -> IncidentChannel: ...
    @property
    def escalation_only(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A step that is due on a channel.

    Attributes:
        incident: as it is now.
        step: what is due.
        reached: the furthest step that the channel has accepted; empty for none.
        begun: a step that was begun and has no known outcome; empty for none.
        remote_id: what the channel has returned for the step before.
        attempts: how often it was tried since the last step that the channel accepted.
        is_escalated: whether it goes there since no person has acknowledged it.
    """

    incident: Incident
    step: IncidentStep
    reached: str = ""
    begun: str = ""
    remote_id: str = ""
    attempts: int = 0
    is_escalated: bool = False

    @property
    def is_possible_duplicate(self) -> bool:
        """Whether an earlier attempt at this step may have arrived."""
        return self.begun == self.step


def levels_from(lowest: AlertLevel) -> frozenset[AlertLevel]:
    """This level and those above it."""
    return frozenset(level for level in AlertLevel if level.severity >= lowest.severity)


def find_due(
    connection: sqlite3.Connection, target: DeliveryTarget, now: float, incident_id: int = 0
) -> list[DueDelivery]:
    """What is due on a channel, in the order in which it is to be sent: at most so many of each kind as `MAX_DUE`.

    Args:
        connection: in a transaction.
        target: the channel.
        now: Unix time.
        incident_id: of the only incident to look at; 0 for all.
    """
    parameters = _parameters(target, now, incident_id)
    can_resolve = IncidentStep.RESOLVE in target.channel.steps
    ended = connection.execute(_ENDED, parameters).fetchall() if can_resolve else []
    found = [_due(row) for row in (*ended, *connection.execute(_OPEN, parameters).fetchall())]
    return sorted(found, key=lambda each: each.attempts)


def _parameters(target: DeliveryTarget, now: float, incident_id: int) -> Mapping[str, object]:
    levels: Sequence[AlertLevel] = () if target.escalation_only else tuple(levels_from(target.lowest))
    return {
        "channel": target.name,
        "now": now,
        "id": incident_id,
        "can_resolve": IncidentStep.RESOLVE in target.channel.steps,
        "can_acknowledge": IncidentStep.ACKNOWLEDGE in target.channel.steps,
        "can_update": IncidentStep.UPDATE in target.channel.steps,
        **{level.value.lower(): level.value if level in levels else "" for level in AlertLevel},
    }


def _due(row: sqlite3.Row) -> DueDelivery:
    return DueDelivery(
        incident=Incident.from_row(row),
        step=IncidentStep(row["due"]),
        reached=row["d_step"] or "",
        begun=row["d_begun"] or "",
        remote_id=row["d_remote_id"] or "",
        attempts=row["d_attempts"] or 0,
        is_escalated=row["d_escalated_at"] is not None,
    )
