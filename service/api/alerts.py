"""GET /alerts: alerts with the state of their notifications, channels and silences."""

import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.api.admission import admission, admit_alerts
from service.api.dependencies import TelemetryDep
from service.api.pagination import Filters, add_next_link
from service.api.problems import PROBLEM_RESPONSE
from service.database.keyset import MAX_ID
from service.errors import RETRY_AFTER, Problem
from telemetry.alerts import AlertPipeline, AlertRecord, ChannelState, Incident, Silence
from telemetry.environment.runbook import Runbook
from telemetry.error_text import safe_text

router = APIRouter(tags=["operations"], dependencies=[admission(admit_alerts)])
State = Literal["pending", "sent", "silenced", "inhibited", "ended"]


class OutboxUnavailable(Problem):
    """503: the file with the alerts cannot be read."""

    status = 503
    headers = RETRY_AFTER

    def __init__(self, error: Exception) -> None:
        super().__init__(f"The outbox of alerts cannot be read now: {safe_text(error)}.")


class AlertOut(BaseModel):
    """One alert with all of its repeats."""

    id: int
    fingerprint: str
    state: State
    level: Literal["INFO", "WARNING", "ERROR", "CRITICAL"]
    component: str
    text: str
    error: str | None
    location: str | None = Field(description="the line of code that it comes from")
    condition: str | None = Field(description="the name of the condition, such as database or disk:var")
    facts: dict[str, str]
    trace_id: str | None
    runbook_url: str | None = Field(
        description="the section of the runbook that says what to do: by RUNBOOK_URL, else a path in the repository"
    )
    count: int
    sent_count: int = Field(description="how many of the occurrences a message has counted")
    first_at: datetime
    last_at: datetime
    ended_at: datetime | None
    ended: Literal["resolved", "expired", "inhibited", "silenced"] | None = Field(description="why it has ended")
    inhibited_by: int | None = Field(description="the id of the alert that caused it")
    channel: str | None
    message: Literal["alert", "again", "digest", "summary"] | None = Field(
        description="the kind of message that tells it"
    )
    message_id: int | None
    attempts: int
    delay_seconds: float | None = Field(description="from its first report until its message was accepted")
    sent_at: datetime | None
    edited_at: datetime | None
    possible_duplicate: bool
    last_error: str | None = Field(description="why the last attempt failed")


class SilenceOut(BaseModel):
    component: str
    until: datetime
    reason: str
    created_at: datetime


class ChannelOut(BaseModel):
    name: str
    state: Literal["ok", "rate_limited", "failing", "disabled"]
    reason: str | None
    paused_until: datetime | None
    failures: int = Field(description="in a row")
    plain_texts: int = Field(description="messages whose markup was refused, and that were sent as plain text")


class AlertsOut(BaseModel):
    pending: int
    oldest_pending_seconds: float | None
    silenced: int
    inhibited: int
    channels: list[ChannelOut]
    silences: list[SilenceOut]
    alerts: list[AlertOut]


class AlertsQuery(Filters):
    before: int | None = Field(None, ge=1, le=MAX_ID, description="only alerts with a smaller id")
    limit: int = Field(50, ge=1, le=500)


@router.get("/alerts", responses={422: PROBLEM_RESPONSE, 503: PROBLEM_RESPONSE})
def list_alerts(
    request: Request, response: Response, telemetry: TelemetryDep, query: Annotated[AlertsQuery, Query()]
) -> AlertsOut:
    """Alerts, newest first, of this machine. The next page is behind `Link: …; rel="next"`, or `before=` the last id."""
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
        state=_state(record),
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
        delay_seconds=_delay(incident),
        sent_at=_timestamp_or_none(record.sent_at),
        edited_at=_timestamp_or_none(record.edited_at),
        possible_duplicate=record.possible_duplicate,
        last_error=incident.last_error,
    )


def _state(record: AlertRecord) -> State:
    incident = record.incident
    if incident.notification_id is None and incident.end_reason == "resolved":
        return "pending"
    if not incident.is_open:
        return "ended"
    if incident.inhibitor_id is not None:
        return "inhibited"
    if record.is_silenced:
        return "silenced"
    return "pending" if incident.notification_id is None else "sent"


def _delay(incident: Incident) -> float | None:
    return None if incident.notified_at is None else round(max(0.0, incident.notified_at - incident.first_at), 3)


def _channel(state: ChannelState, now: float) -> ChannelOut:
    is_paused = state.paused_until > now
    word: Literal["ok", "rate_limited", "failing", "disabled"] = "failing" if state.failures else "ok"
    return ChannelOut(
        name=state.name,
        state="disabled" if state.disabled_reason else "rate_limited" if is_paused else word,
        reason=state.disabled_reason or state.last_error,
        paused_until=_timestamp(state.paused_until) if is_paused else None,
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
