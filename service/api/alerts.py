"""GET /alerts: alerts with the state of their notifications, channels and silences. POST /alerts/{id}/acknowledge."""

import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Query, Request, Response

from service.api.dependencies import TelemetryDep
from service.api.edge.admission import admission, admit_alerts
from service.api.schemas.alert_schemas import (
    AcknowledgedOut,
    AcknowledgeIn,
    AlertDeliveryOut,
    AlertOut,
    AlertsOut,
    AlertsQuery,
    ChannelOut,
    SilenceOut,
)
from service.api.schemas.pagination import NEXT_PAGE, add_next_link
from service.api.schemas.parameters import RowId
from service.api.schemas.problem_schemas import FOREIGN_PAGE, INVALID, problem_responses
from service.errors import RETRY_AFTER, Problem
from telemetry.alerts import (
    AcknowledgementResult,
    AlertPipeline,
    AlertRecord,
    ChannelState,
    DeliveryRecord,
    Silence,
    acknowledge,
)
from telemetry.environment.runbook import Runbook
from telemetry.error_text import safe_text

_UNREADABLE: Final = problem_responses(
    {503: ("The outbox of alerts cannot be read now.", "The outbox of alerts cannot be read now: disk I/O error.")}
)
_NO_ALERT: Final = problem_responses(
    {
        404: ("There is no alert with this id.", "There is no alert 42. GET /alerts lists them."),
        409: ("The alert has ended.", "Alert 41 has ended: it needs no acknowledgement."),
    }
)
router = APIRouter(tags=["monitoring"], dependencies=[admission(admit_alerts)])


class OutboxUnavailable(Problem):
    """503: the file with the alerts cannot be read."""

    status = 503
    headers = RETRY_AFTER

    def __init__(self, error: Exception) -> None:
        super().__init__(f"The outbox of alerts cannot be read now: {safe_text(error)}.")


class UnknownAlert(Problem):
    """404: no alert has this id."""

    status = 404

    def __init__(self, alert_id: int) -> None:
        super().__init__(f"There is no alert {alert_id}. GET /alerts lists them.")


class AlertEnded(Problem):
    """409: the alert is over."""

    status = 409

    def __init__(self, alert_id: int) -> None:
        super().__init__(f"Alert {alert_id} has ended: it needs no acknowledgement.")


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


@router.post("/alerts/{alert_id}/acknowledge", responses=_NO_ALERT | FOREIGN_PAGE | INVALID | _UNREADABLE)
def acknowledge_alert(
    alert_id: Annotated[RowId, Path(description="The id of the alert, as `GET /alerts` lists it.", examples=[41])],
    request: Request,
    telemetry: TelemetryDep,
    given: Annotated[AcknowledgeIn | None, Body()] = None,
) -> AcknowledgedOut:
    """Acknowledge an alert.

    It is not escalated any more, and the channels that keep incidents show who takes care of it. The first one counts: a second
    acknowledgement changes nothing.
    """
    by = given.by if given and given.by else f"the API, from {request.client.host if request.client else 'unknown'}"
    try:
        done = acknowledge(telemetry.alerts.outbox, alert_id, by, time.time())
    except (sqlite3.Error, OSError) as error:
        raise OutboxUnavailable(error) from error
    incident = done.incident
    if incident is None:
        raise UnknownAlert(alert_id)
    if done.result is AcknowledgementResult.ALREADY_ENDED or incident.acknowledged_at is None:
        raise AlertEnded(alert_id)
    return AcknowledgedOut(
        id=alert_id,
        acknowledged_at=_timestamp(incident.acknowledged_at),
        acknowledged_by=done.by,
        already=done.result is AcknowledgementResult.ALREADY_ACKNOWLEDGED,
    )


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
        channels=[_channel(states.get(name, ChannelState(name)), now) for name in alerts.channel_names],
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
        chat_id=record.chat_id,
        acknowledged_at=_timestamp_or_none(incident.acknowledged_at),
        acknowledged_by=incident.acknowledged_by or None,
        seconds_to_acknowledge=_rounded(incident.seconds_to_acknowledge),
        seconds_to_resolve=_rounded(incident.seconds_to_resolve),
        deliveries=[_delivery(each) for each in record.deliveries],
        attempts=incident.attempts,
        delay_seconds=_rounded(incident.delay),
        sent_at=_timestamp_or_none(record.sent_at),
        edited_at=_timestamp_or_none(record.edited_at),
        possible_duplicate=record.possible_duplicate,
        last_error=incident.last_error,
    )


def _delivery(delivery: DeliveryRecord) -> AlertDeliveryOut:
    return AlertDeliveryOut(
        channel=delivery.channel,
        state=delivery.state,
        message_id=delivery.remote_id or None,
        count=delivery.count,
        sent_at=_timestamp_or_none(delivery.sent_at),
        escalated_at=_timestamp_or_none(delivery.escalated_at),
        attempts=delivery.attempts,
        possible_duplicate=delivery.possible_duplicate,
        last_error=delivery.last_error,
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


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
