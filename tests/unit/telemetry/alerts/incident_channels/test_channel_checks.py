"""The check of each channel: it sends no alert, and says what the service says."""

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_channels.apprise_channel import AppriseChannel
from telemetry.alerts.incident_channels.channel_checks import channel_checks
from telemetry.alerts.incident_channels.configured import ConfiguredChannel
from telemetry.error_text import CheckFailed
from tests.support.loopback import SILENT, response
from tests.unit.telemetry.alerts.incident_channels.conftest import SERVICES, played

ASKED = {
    "slack": "the token of alerts in Shop is valid",
    "ntfy": "the server is healthy; the topic is tried with the first alert",
    "alertmanager": "Alertmanager is ready",
}


def check_of(name, channel):
    return channel_checks([ConfiguredChannel(name, AlertLevel.ERROR, channel)])[name]()


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_check_sends_no_alert(name):
    with played(name) as it:
        sentence = check_of(name, it.channel)

        assert sentence == ASKED.get(name, "configured; the credentials are tried with the first alert")
        assert it.service.kept == {}
        assert len(it.server.requests) == (name in ASKED)


def test_a_revoked_token_fails_the_check():
    with played("slack") as it:
        it.service.is_revoked = True

        with pytest.raises(CheckFailed, match=r"^slack refuses \(token_revoked\)$"):
            check_of("slack", it.channel)


@pytest.mark.parametrize("name", list(ASKED))
def test_a_server_that_is_ill_or_hangs_fails_the_check(name):
    for fault in (SILENT, response("<html>Bad gateway</html>", 502), response({"healthy": False, "ok": False}, 503)):
        with played(name, seconds=0.3) as it:
            it.service.faults.append(fault)

            with pytest.raises(CheckFailed, match=f"^{name} "):
                check_of(name, it.channel)


def test_apprise_says_what_it_cannot_do():
    pytest.importorskip("apprise")

    assert check_of("apprise", AppriseChannel(["json://127.0.0.1/"])) == (
        "configured; the credentials are tried with the first alert; "
        "it sends a message when an alert opens and another one when it ends: no update, no key, no Retry-After"
    )
