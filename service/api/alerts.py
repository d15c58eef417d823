"""GET /alerts: what was told, when, why and after how many attempts, and what waits."""

import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.api.dependencies import TelemetryDep
from service.api.pagination import Filters, add_next_link
from service.api.problems import PROBLEM_RESPONSE
from service.database.keyset import MAX_ID
from service.errors import Problem
from telemetry.alerts import AlertPipeline, AlertRecord, ChannelState, Incident, Silence
from telemetry.error_text import safe_text

router = APIRouter(tags=["operations"])
State = Literal["waiting", "told", "silenced", "muted", "over"]


class OutboxUnavailable(Problem):
    status = 503

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
    place: str | None = Field(description="where in the code it comes from")
    lasting: str | None = Field(description="the name of what lasts, such as database or disk:var")
    facts: dict[str, str]
    trace_id: str | None
    count: int
    told_count: int = Field(description="how many of them a message tells of")
    first_at: datetime
    last_at: datetime
    ended_at: datetime | None
    ended: Literal["resolved", "quiet", "muted", "silenced", "given up"] | None = Field(description="why it is over")
    muted_by: int | None = Field(description="the id of the alert that it followed from")
    channel: str | None
    message: Literal["alert", "again", "digest", "summary"] | None = Field(
        description="the kind of message that tells it"
    )
    message_id: int | None
    attempts: int
    delay_seconds: float | None = Field(description="from its first report until its message was accepted")
    sent_at: datetime | None
    edited_at: datetime | None
    may_be_a_repeat: bool
    last_error: str | None = Field(description="why the last attempt failed")


class SilenceOut(BaseModel):
    component: str
    until: datetime
    reason: str
    created_at: datetime


class ChannelOut(BaseModel):
    name: str
    state: Literal["ok", "waiting", "failing", "stopped"]
    reason: str | None
    paused_until: datetime | None
    failures: int = Field(description="in a row")
    plain_texts: int = Field(description="messages whose markup was refused, and that were sent as plain text")


class AlertsOut(BaseModel):
    waiting: int
    oldest_waiting_seconds: float | None
    silenced: int
    muted: int
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
        page, shown = _read(telemetry.alerts, query, time.time())
    except (sqlite3.Error, OSError) as error:
        raise OutboxUnavailable(error) from error
    add_next_link(request, response, [told.incident for told in page], query.limit)
    return shown


def _read(alerts: AlertPipeline, query: AlertsQuery, now: float) -> tuple[list[AlertRecord], AlertsOut]:
    counts, page = alerts.overview.counts(now), alerts.overview.page(now, before=query.before, limit=query.limit)
    known = {state.name: state for state in alerts.overview.channels()}
    return page, AlertsOut(
        waiting=counts.waiting,
        oldest_waiting_seconds=None if counts.oldest is None else round(max(0.0, now - counts.oldest), 3),
        silenced=counts.silenced,
        muted=counts.muted,
        channels=[_channel(known.get(each.name, ChannelState(each.name)), now) for each in alerts.channels],
        silences=[_silence(each) for each in alerts.silences.lasting(now)],
        alerts=[_alert(told) for told in page],
    )


def _alert(told: AlertRecord) -> AlertOut:
    incident = told.incident
    return AlertOut(
        id=incident.id,
        fingerprint=incident.fingerprint,
        state=_state(told),
        level=incident.level.value,
        component=incident.component,
        text=incident.words,
        error=incident.error or None,
        place=incident.place or None,
        lasting=incident.state or None,
        facts=dict(incident.facts),
        trace_id=incident.trace_id or None,
        count=incident.count,
        told_count=incident.told_count,
        first_at=_moment(incident.first_at),
        last_at=_moment(incident.last_at),
        ended_at=_moment_or_none(incident.ended_at),
        ended=incident.ended,
        muted_by=incident.muted_by,
        channel=told.channel,
        message=told.kind,
        message_id=told.message_id,
        attempts=incident.attempts,
        delay_seconds=_delay(incident),
        sent_at=_moment_or_none(told.sent_at),
        edited_at=_moment_or_none(told.edited_at),
        may_be_a_repeat=told.is_doubtful,
        last_error=incident.refusal,
    )


def _state(told: AlertRecord) -> State:
    incident = told.incident
    if incident.told_post is None and incident.ended == "resolved":
        return "waiting"
    if not incident.is_open:
        return "over"
    if incident.muted_by is not None:
        return "muted"
    if told.is_silenced:
        return "silenced"
    return "waiting" if incident.told_post is None else "told"


def _delay(incident: Incident) -> float | None:
    return None if incident.told_at is None else round(max(0.0, incident.told_at - incident.first_at), 3)


def _channel(state: ChannelState, now: float) -> ChannelOut:
    is_paused = state.paused_until > now
    word: Literal["ok", "waiting", "failing", "stopped"] = "failing" if state.failures else "ok"
    return ChannelOut(
        name=state.name,
        state="stopped" if state.stopped else "waiting" if is_paused else word,
        reason=state.stopped or state.last_error,
        paused_until=_moment(state.paused_until) if is_paused else None,
        failures=state.failures,
        plain_texts=state.plain_texts,
    )


def _silence(silence: Silence) -> SilenceOut:
    return SilenceOut(
        component=silence.component,
        until=_moment(silence.until),
        reason=silence.reason,
        created_at=_moment(silence.created_at),
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _moment_or_none(at: float | None) -> datetime | None:
    return None if at is None else _moment(at)
