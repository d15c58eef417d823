"""Schemas of /alerts."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.filters import Filters
from service.api.schemas.parameters import PageLimit, RowId
from telemetry.alerts import AlertState, ChannelCondition, DeliveryState


class AlertsQuery(Filters):
    """Which alerts."""

    before: RowId | None = Field(None, description="Only alerts with a smaller id, for the next page.", examples=[42])
    limit: PageLimit = 50


class AlertDeliveryOut(BaseModel):
    """What one channel that keeps incidents has of the alert."""

    channel: str = Field(description="The name of the channel, as in `ALERT_CHANNELS`.", examples=["pagerduty"])
    state: DeliveryState = Field(
        description="`waiting`: it has nothing of it yet. `open`, `acknowledged`, `resolved`: what the channel has accepted. "
        "`rejected`: the channel rejects this alert.",
        examples=["open"],
    )
    message_id: str | None = Field(
        description="The id that the channel gave to the incident or its message.",
        examples=["C0123456789:1764417600.1"],
    )
    count: int = Field(description="How many of the occurrences the channel shows.", examples=[3])
    sent_at: datetime | None = Field(description="When the channel accepted the last step.")
    escalated_at: datetime | None = Field(
        description="When the alert was escalated to this channel; null if it was not.", examples=[None]
    )
    attempts: int = Field(description="How many attempts at the next step have failed.", examples=[0])
    possible_duplicate: bool = Field(description="Whether a step may have arrived twice.", examples=[False])
    last_error: str | None = Field(description="Why the last attempt failed.", examples=[None])


class AlertOut(BaseModel):
    """One alert with all of its repeats."""

    id: int = Field(description="The number of the alert. A later alert has a larger one.", examples=[41])
    fingerprint: str = Field(
        description="What repeats have in common: equal events have an equal fingerprint.",
        examples=["9f2c51d07ab3e864"],
    )
    state: AlertState = Field(
        description="`pending`: no message was sent yet. `sent`: a message was sent. `recorded`: no channel "
        "takes alerts of this level. `silenced`: a silence holds it back. "
        "`inhibited`: another alert explains it. `ended`: it is over.",
        examples=["sent"],
    )
    level: Literal["INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        description="The level of the log record; of repeats, the highest.", examples=["ERROR"]
    )
    component: str = Field(
        description="The part of the service, or the external service, that the alert is about.", examples=["wb"]
    )
    text: str = Field(
        description="The message, without secrets.", examples=["Job sync_wb_reviews has failed 3 times in a row"]
    )
    error: str | None = Field(
        description="The exception: its class and its message.",
        examples=["Unreachable: wb is unavailable: /api/v1/feedbacks timed out."],
    )
    location: str | None = Field(
        description="The line of code that logged or raised it.", examples=["service/jobs/sync.py:61 in sync_reviews"]
    )
    condition: str | None = Field(
        description="The name of a lasting condition, such as `database` or `disk:/var`; null for a single event.",
        examples=["job:sync_wb_reviews"],
    )
    facts: dict[str, str] = Field(
        description="Further figures by name, as the message lists them.", examples=[{"last success": "10:30"}]
    )
    trace_id: str | None = Field(
        description="The trace of the event, as 32 hexadecimal digits. The log lines have it, too.",
        examples=["0af7651916cd43dd8448eb211c80319c"],
    )
    runbook_url: str | None = Field(
        description="The section of the runbook that says what to do: by `RUNBOOK_URL`, else a path in the repository.",
        examples=["https://wiki.example/runbook#message-job-failed"],
    )
    count: int = Field(description="How many times it occurred.", examples=[3])
    sent_count: int = Field(description="How many of the occurrences the messages have reported.", examples=[3])
    first_at: datetime = Field(description="When it occurred first.")
    last_at: datetime = Field(description="When it occurred last.")
    ended_at: datetime | None = Field(description="When it ended; null while it is open.", examples=[None])
    ended: Literal["resolved", "expired", "inhibited", "silenced"] | None = Field(
        description="Why it ended. `resolved`: the condition is over. `expired`: no repeat came for four hours. "
        "`inhibited` and `silenced`: it ended without a message of its own.",
        examples=[None],
    )
    inhibited_by: int | None = Field(description="The id of the alert that explains this one.", examples=[None])
    channel: str | None = Field(description="The channel that sent the last message.", examples=["telegram"])
    message: Literal["alert", "again", "digest", "summary"] | None = Field(
        description="The kind of the last message. `alert`: this alert alone. `again`: a reminder. `digest`: many alerts at "
        "once. `summary`: alerts that could not be sent for an hour or more.",
        examples=["alert"],
    )
    message_id: int | None = Field(description="The id that the channel gave to the message.", examples=[1207])
    chat_id: str | None = Field(description="The chat of the message, if the channel has chats.", examples=["-1001234"])
    acknowledged_at: datetime | None = Field(description="When a person acknowledged it.", examples=[None])
    acknowledged_by: str | None = Field(description="Who acknowledged it.", examples=["anna"])
    seconds_to_acknowledge: float | None = Field(
        description="Seconds from the first occurrence until it was acknowledged.", examples=[240.0]
    )
    seconds_to_resolve: float | None = Field(
        description="Seconds from the first occurrence until the condition was over.", examples=[1260.5]
    )
    deliveries: list[AlertDeliveryOut] = Field(
        description="What the channels that keep incidents have of it, and to which of them it was escalated."
    )
    attempts: int = Field(description="How many times the service tried to send it.", examples=[1])
    delay_seconds: float | None = Field(
        description="Seconds from the first occurrence until a channel accepted the message.", examples=[10.4]
    )
    sent_at: datetime | None = Field(description="When the channel accepted the message.")
    edited_at: datetime | None = Field(
        description="When the message was last edited, to show a new count or the end.", examples=[None]
    )
    possible_duplicate: bool = Field(
        description="The process ended between sending and noting it, so the message may have arrived twice."
    )
    last_error: str | None = Field(description="Why the last attempt to send failed.", examples=[None])


class AcknowledgeIn(BaseModel):
    """Who acknowledges an alert."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="The name of the person. By default the address of the client.",
        examples=["anna"],
    )


class AcknowledgedOut(BaseModel):
    """An alert that a person has acknowledged."""

    id: int = Field(description="The number of the alert.", examples=[41])
    acknowledged_at: datetime = Field(description="When it was acknowledged first.")
    acknowledged_by: str = Field(description="Who acknowledged it first.", examples=["anna"])
    already: bool = Field(description="Whether it was acknowledged before this request.", examples=[False])


class SilenceOut(BaseModel):
    """A silence that holds back the alerts of one component."""

    component: str = Field(description="The component whose alerts are held back.", examples=["ozon"])
    until: datetime = Field(description="When the silence ends.")
    reason: str = Field(description="The reason that was given for it; may be empty.", examples=["Ozon's maintenance"])
    created_at: datetime = Field(description="When it was set.")


class ChannelOut(BaseModel):
    """A channel that sends messages."""

    name: str = Field(
        description="The name of the channel, such as `telegram`, `webhook` or `pagerduty`.", examples=["telegram"]
    )
    state: ChannelCondition = Field(
        description="`ok`: it works. `rate_limited`: it waits until `paused_until`. `failing`: the last attempts failed and "
        "are repeated. `disabled`: it rejects messages for good, for `reason`.",
        examples=["ok"],
    )
    reason: str | None = Field(description="Why it is disabled, or the last error.", examples=[None])
    paused_until: datetime | None = Field(description="When it is tried again.", examples=[None])
    failures: int = Field(description="How many attempts have failed in a row.", examples=[0])
    plain_texts: int = Field(
        description="How many messages were sent as plain text, because the channel rejected their markup.",
        examples=[0],
    )


class AlertsOut(BaseModel):
    """The alerts of this machine, and what sends them."""

    pending: int = Field(description="How many alerts wait to be sent.", examples=[0])
    oldest_pending_seconds: float | None = Field(
        description="The age of the oldest of them, in seconds; null if none waits.", examples=[None]
    )
    silenced: int = Field(description="How many open alerts a silence holds back.", examples=[0])
    inhibited: int = Field(description="How many open alerts another alert explains.", examples=[0])
    channels: list[ChannelOut] = Field(description="Each configured channel and its state.")
    silences: list[SilenceOut] = Field(description="The silences that are active now.")
    alerts: list[AlertOut] = Field(description="One page of alerts, newest first.")
