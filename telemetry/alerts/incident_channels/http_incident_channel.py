"""The channel to a service with an HTTP API: one bounded call for each step, which the service's module renders."""

import time
from dataclasses import replace
from typing import Protocol

import httpx

from telemetry.alerts.channels.channel import ChannelError, MessageGone
from telemetry.alerts.channels.http_call import SEND_SECONDS, HttpCall, call, channel_client
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.http_client.exchange import BoundedResponse


class IncidentService(Protocol):
    """What a service wants to be sent, and what its responses mean. Pure: it neither sends nor waits."""

    @property
    def name(self) -> str:
        """As in `ALERT_CHANNELS`."""

    @property
    def url(self) -> str:
        """The address of the service."""

    @property
    def rate_limit(self) -> ChannelRateLimit: ...

    @property
    def steps(self) -> frozenset[IncidentStep]: ...

    def render(self, event: IncidentEvent) -> HttpCall: ...

    def read(self, event: IncidentEvent, response: BoundedResponse) -> str:
        """What the next step has to name; empty for nothing.

        Raises:
            ChannelError: see `IncidentChannel.deliver`.
            MessageGone: what the event names is not there any more.
        """

    @property
    def probe(self) -> HttpCall | None:
        """A call that changes nothing and tells whether the credentials are valid; None if the service has none."""

    def read_probe(self, response: BoundedResponse) -> str:
        """What the probe found, in a few words.

        Raises:
            ChannelError: the service refuses.
        """


class HttpIncidentChannel:
    """Calls a service. A step whose message was deleted there is sent as a new message, within the same deadline."""

    def __init__(
        self, service: IncidentService, client: httpx.Client | None = None, seconds: float = SEND_SECONDS
    ) -> None:
        self._service = service
        self._client = client or channel_client(service.url)
        self._seconds = seconds

    @property
    def name(self) -> str:
        return self._service.name

    @property
    def rate_limit(self) -> ChannelRateLimit:
        return self._service.rate_limit

    @property
    def steps(self) -> frozenset[IncidentStep]:
        return self._service.steps

    def deliver(self, event: IncidentEvent) -> str:
        deadline = time.monotonic() + self._seconds
        try:
            return self._deliver(event, deadline)
        except MessageGone:
            return self._deliver(replace(event, remote_id=""), deadline)

    def _deliver(self, event: IncidentEvent, deadline: float) -> str:
        return self._service.read(event, call(self._client, self.name, self._service.render(event), deadline))

    def probe(self) -> str | None:
        """Ask whether the service would accept messages. Returns what it says; None if it cannot be asked.

        Raises:
            ChannelError: it would not, or it cannot be reached.
        """
        if (request := self._service.probe) is None:
            return None
        try:
            response = call(self._client, self.name, request, time.monotonic() + self._seconds)
        except ChannelError as error:
            raise ChannelError(str(error)) from None  # nothing was sent that could have arrived
        return self._service.read_probe(response)

    def close(self) -> None:
        self._client.close()
