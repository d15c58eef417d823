"""GET /alerts: alerts with the state of their notifications, channels and silences."""

import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from service.api.dependencies import TelemetryDep
from service.api.edge.admission import admission, admit_alerts
from service.api.schemas.alert_schemas import (
    AlertOut,
    AlertsOut,
    AlertsQuery,
    ChannelOut,
    SilenceOut,
)
from service.api.schemas.pagination import NEXT_PAGE, add_next_link
from service.api.schemas.problem_schemas import INVALID, problem_responses
from service.errors import RETRY_AFTER, Problem
from telemetry.alerts import AlertPipeline, AlertRecord, ChannelState, Silence
from telemetry.environment.runbook import Runbook
from telemetry.error_text import safe_text

_UNREADABLE: Final = problem_responses(
    {503: ("The outbox of alerts cannot be read now.", "The outbox of alerts cannot be read now: disk I/O error.")}
)
router = APIRouter(tags=["monitoring"], dependencies=[admission(admit_alerts)])


class OutboxUnavailable(Problem):
    """503: the file with the alerts cannot be read."""

    status = 503
    headers = RETRY_AFTER

    def __init__(self, error: Exception) -> None:
        super().__init__(f"The outbox of alerts cannot be read now: {safe_text(error)}.")


@router.get("/alerts", responses=NEXT_PAGE | INVALID | _UNREADABLE)
def list_alerts(
    request: Request, response: Response, telemetry: TelemetryDep, query: Annotated[AlertsQuery, Query()]
) -> AlertsOut:
    """List the alerts of this machine.

    Newest first, with their states and messages, the channels that send them, and the active silences.
    """
    try:
        records, body = _read(telemetry.alerts, query, time.time())
    except (sqlite3.Error, OSError) as error:
        raise OutboxUnavailable(error) from error
    add_next_link(request, response, [record.incident for record in records], query.limit)
    return body


def _read(alerts: AlertPipeline, query: AlertsQuery, now: float) -> tuple[list[AlertRecord], AlertsOut]:
    counts, records = alerts.queries.counts(now), alerts.queries.page(now, before=query.before, limit=query.limit)
    states = {state.name: state for state in alerts.queries.channels()}
    return records, AlertsOut(
        pending=counts.pending,
        oldest_pending_seconds=None
        if counts.oldest_pending_at is None
        else round(max(0.0, now - counts.oldest_pending_at), 3),
        silenced=counts.silenced,
        inhibited=counts.inhibited,
        channels=[_channel(states.get(each.name, ChannelState(each.name)), now) for each in alerts.channels],
        silences=[_silence(each) for each in alerts.silences.active(now)],
        alerts=[_alert(record, alerts.links.runbook) for record in records],
    )


def _alert(record: AlertRecord, runbook: Runbook) -> AlertOut:
    incident = record.incident
    return AlertOut(
        id=incident.id,
        fingerprint=incident.fingerprint,
        state=record.state,
        level=incident.level.value,
        component=incident.component,
        text=incident.summary,
        error=incident.error or None,
        location=incident.location or None,
        condition=incident.state or None,
        facts=dict(incident.facts),
        trace_id=incident.trace_id or None,
        runbook_url=runbook.link(incident.section) or None,
        count=incident.count,
        sent_count=incident.notified_count,
        first_at=_timestamp(incident.first_at),
        last_at=_timestamp(incident.last_at),
        ended_at=_timestamp_or_none(incident.ended_at),
        ended=incident.end_reason,
        inhibited_by=incident.inhibitor_id,
        channel=record.channel,
        message=record.kind,
        message_id=record.message_id,
        attempts=incident.attempts,
        delay_seconds=None if incident.delay is None else round(incident.delay, 3),
        sent_at=_timestamp_or_none(record.sent_at),
        edited_at=_timestamp_or_none(record.edited_at),
        possible_duplicate=record.possible_duplicate,
        last_error=incident.last_error,
    )


def _channel(state: ChannelState, now: float) -> ChannelOut:
    return ChannelOut(
        name=state.name,
        state=state.condition(now),
        reason=state.disabled_reason or state.last_error,
        paused_until=_timestamp(state.paused_until) if state.paused_until > now else None,
        failures=state.failures,
        plain_texts=state.plain_texts,
    )


def _silence(silence: Silence) -> SilenceOut:
    return SilenceOut(
        component=silence.component,
        until=_timestamp(silence.until),
        reason=silence.reason,
        created_at=_timestamp(silence.created_at),
    )


def _timestamp(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _timestamp_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else _timestamp(seconds)
