"""Each channel beside the strict fake of its service, on loopback."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr

from telemetry.alerts.incident_channels.alertmanager import Alertmanager
from telemetry.alerts.incident_channels.grafana_irm import GrafanaIrm
from telemetry.alerts.incident_channels.http_incident_channel import HttpIncidentChannel
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_io import IncidentIo
from telemetry.alerts.incident_channels.jira_service_management import JiraServiceManagement
from telemetry.alerts.incident_channels.ntfy import Ntfy
from telemetry.alerts.incident_channels.pagerduty import PagerDuty
from telemetry.alerts.incident_channels.slack import Slack
from telemetry.alerts.rendering.message import Message
from tests.support.incident_services import (
    KEY,
    AlertmanagerServer,
    GrafanaIrmServer,
    IncidentIoServer,
    JsmServer,
    NtfyServer,
    PagerDutyServer,
    SlackServer,
)
from tests.support.loopback import loopback
from tests.unit.telemetry.alerts.conftest import incident

SERVICES = {
    "pagerduty": (PagerDutyServer, lambda url: PagerDuty(SecretStr(KEY), "shop@host-1", url)),
    "jsm": (JsmServer, lambda url: JiraServiceManagement(SecretStr(JsmServer.key), "shop@host-1", url)),
    "grafana_irm": (GrafanaIrmServer, lambda url: GrafanaIrm(SecretStr(url + GrafanaIrmServer.path))),
    "incident_io": (
        IncidentIoServer,
        lambda url: IncidentIo(url + IncidentIoServer.path, SecretStr(IncidentIoServer.token)),
    ),
    "ntfy": (NtfyServer, lambda url: Ntfy(url, SecretStr(NtfyServer.topic), SecretStr(NtfyServer.token))),
    "slack": (SlackServer, lambda url: Slack(SecretStr(SlackServer.token), SlackServer.channel, f"{url}/api")),
    "alertmanager": (AlertmanagerServer, lambda url: Alertmanager(url, "shop", "host-1")),
}


@dataclass
class Played:
    """A channel, its service, and the remote id of the last step, as the outbox keeps it."""

    channel: Any
    service: Any
    server: Any
    remote_id: str = ""

    def step(self, step, **values):
        self.remote_id = self.channel.deliver(event(step, remote_id=self.remote_id, **values))
        return self.remote_id


def event(step: IncidentStep = IncidentStep.OPEN, **values: Any) -> IncidentEvent:
    known = {name: values.pop(name) for name in list(values) if name in IncidentEvent.__dataclass_fields__}
    about = incident(**values)
    created = IncidentEvent(
        step=IncidentStep(step),
        key=about.fingerprint,
        incident=about,
        message=Message("<b>shop failed</b>", f"❌ {about.level}\n{about.summary}"),
        runbook_url="https://docs.example/runbook#any",
    )
    return replace(created, **known)


@contextmanager
def played(name: str, seconds: float = 5.0):
    make_server, make_service = SERVICES[name]
    with loopback() as server:
        server.script = service = make_server()
        channel = HttpIncidentChannel(make_service(server.url), seconds=seconds)
        yield Played(channel, service, server)
        channel.close()


@pytest.fixture(params=list(SERVICES))
def each(request):
    """One channel after the other."""
    with played(request.param) as it:
        yield it
