"""The route of alerts: what was sent, what waits, and how the channels are."""

import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from telemetry.alerts.outbox.queries import AlertRecord
from telemetry.build import Telemetry
from telemetry.error_text import safe_text
from telemetry.web.access import MAX_ID, Alerting

router = APIRouter()


@router.get("/alerts")
def list_alerts(
    telemetry: Alerting,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Alerts of this machine, the newest first; `before` is the id of the last one of the previous page."""
    try:
        return _body(telemetry, before, limit)
    except (sqlite3.Error, OSError) as error:
        raise HTTPException(503, f"The outbox of alerts cannot be read now: {safe_text(error)}.") from None


def _body(telemetry: Telemetry, before: int | None, limit: int) -> dict[str, Any]:
    now, queries = time.time(), telemetry.alerts.queries
    counts = queries.counts(now)
    disabled = {each.name: each.disabled_reason for each in queries.channels()}
    return {
        "pending": counts.pending,
        "silenced": counts.silenced,
        "channels": [
            {"name": name, "disabled_reason": disabled.get(name) or None} for name in telemetry.alerts.channel_names
        ],
        "alerts": [_alert(record) for record in queries.page(now, before=before, limit=limit)],
    }


def _alert(record: AlertRecord) -> dict[str, Any]:
    incident = record.incident
    return {
        "id": incident.id,
        "level": incident.level.value,
        "component": incident.component,
        "text": incident.summary,
        "error": incident.error or None,
        "count": incident.count,
        "first_at": _timestamp(incident.first_at),
        "last_at": _timestamp(incident.last_at),
        "ended_at": _timestamp(incident.ended_at),
        "sent_at": _timestamp(record.sent_at),
        "channel": record.channel,
        "attempts": incident.attempts,
        "last_error": incident.last_error,
        "trace_id": incident.trace_id or None,
    }


def _timestamp(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
