"""The channels of alerts in the environment: what is accepted, and the line that a wrong value gets."""

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.destinations import configured_channels, incident_routing
from telemetry.alerts.incident_channels.configured import configured_incident_channels
from telemetry.alerts.telegram_updates.configured_bot import configured_bot
from telemetry.environment import apprise_package, channel_settings
from telemetry.environment.alert_channels import REQUIRED
from telemetry.redaction.secret_sources import collect_secrets
from telemetry.settings import SettingsError, TelemetrySettings

COMPLETE = {
    "TELEGRAM_TOKEN": "123456:ABC-DEF",
    "MANAGER_CHAT_ID": "-100",
    "ALERT_WEBHOOK_URL": "https://hook.example/secret",
    "PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef",
    "JSM_API_KEY": "jsm-canary-1",
    "GRAFANA_IRM_URL": "https://irm.example/integrations/v1/formatted_webhook/irm-canary/",
    "INCIDENT_IO_URL": "https://api.incident.io/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66",
    "INCIDENT_IO_TOKEN": "incident-canary",
    "NTFY_TOPIC": "shop-alerts-canary",
    "SLACK_BOT_TOKEN": "xoxb-slack-canary-1",
    "SLACK_CHANNEL_ID": "C0123456789",
    "SMTP_HOST": "mail.example",
    "EMAIL_FROM": "alerts@shop.example",
    "EMAIL_TO": "anna@shop.example, boris@shop.example",
    "ALERTMANAGER_URL": "http://alertmanager:9093",
    "ALERT_APPRISE_URLS": "json://hook.example/canary-a, mailto://user:canary-b@mail.example",
}

_TELEGRAM = {name: COMPLETE[name] for name in ("TELEGRAM_TOKEN", "MANAGER_CHAT_ID")}
_SLACK = {name: COMPLETE[name] for name in ("SLACK_BOT_TOKEN", "SLACK_CHANNEL_ID")}


def read(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return TelemetrySettings.read()


def refusal(monkeypatch, **variables):
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, **variables)
    return str(refused.value)


def test_without_variables_alerts_go_to_telegram_from_warning_on(monkeypatch):
    settings = read(monkeypatch)

    assert [str(channel) for channel in settings.alert_channels] == ["telegram:warning"]
    assert (settings.alert_escalation, settings.alert_escalate_after) == ((), None)
    assert list(configured_incident_channels(settings)) == []


def test_channels_have_their_lowest_levels(monkeypatch):
    settings = read(monkeypatch, **COMPLETE, ALERT_CHANNELS=" telegram:warning, pagerduty:ERROR,slack : info ,")

    found = [(each.name, each.lowest, each.channel.name, each.escalation_only) for each in configured_of(settings)]
    assert found == [
        ("pagerduty", AlertLevel.ERROR, "pagerduty", False),
        ("slack", AlertLevel.INFO, "slack", False),
    ]


def test_a_channel_may_be_there_for_escalation_alone(monkeypatch):
    settings = read(
        monkeypatch,
        **COMPLETE,
        ALERT_CHANNELS="telegram:warning,slack:warning",
        ALERT_ESCALATION="slack,pagerduty",
        ALERT_ESCALATE_AFTER="1h30m",
    )

    assert settings.alert_escalation == ("slack", "pagerduty")
    assert settings.alert_escalate_after == 5400.0
    assert [(each.name, each.escalation_only) for each in configured_of(settings)] == [
        ("slack", False),
        ("pagerduty", True),
    ]


@pytest.mark.parametrize(
    ("channels", "chain", "targets"),
    [
        ("slack:error", ["webhook"], [("slack", False), ("telegram", True)]),
        ("telegram:warning", ["telegram", "webhook"], [("slack", True)]),
    ],
)
def test_telegram_is_a_step_where_it_does_not_get_every_alert(monkeypatch, channels, chain, targets):
    settings = read(
        monkeypatch,
        **COMPLETE,
        ALERT_CHANNELS=channels,
        ALERT_ESCALATION="telegram,slack",
        ALERT_ESCALATE_AFTER="15m",
    )

    first, routing = configured_channels(settings), incident_routing(settings, has_chain=True)

    for each in (*first, *(target.channel for target in routing.targets)):
        each.close()
    assert [each.name for each in first] == chain
    assert [(each.name, each.escalation_only) for each in routing.targets] == targets
    assert configured_bot(settings) is not None  # commands work


@pytest.mark.parametrize(
    ("channels", "escalation", "chain", "targets"),
    [
        ("telegram:warning", "webhook", ["telegram"], [("webhook", True)]),
        ("slack:error", "telegram,webhook", [], [("slack", False), ("telegram", True), ("webhook", True)]),
        ("telegram:warning,webhook:warning", "webhook,slack", ["telegram", "webhook"], [("slack", True)]),
    ],
)
def test_a_webhook_that_only_the_escalation_names_is_a_step_and_no_fallback(
    monkeypatch, channels, escalation, chain, targets
):
    settings = read(
        monkeypatch, **COMPLETE, ALERT_CHANNELS=channels, ALERT_ESCALATION=escalation, ALERT_ESCALATE_AFTER="15m"
    )

    first, routing = configured_channels(settings), incident_routing(settings, has_chain=bool(chain))

    for each in (*first, *(target.channel for target in routing.targets)):
        each.close()
    assert [each.name for each in first] == chain
    assert [(each.name, each.escalation_only) for each in routing.targets] == targets


def configured_of(settings):
    found = list(configured_incident_channels(settings))
    for each in found:
        each.channel.close()
    return found


def test_every_channel_that_can_be_named_can_be_made(monkeypatch):
    names = ",".join(f"{name}:warning" for name in REQUIRED)

    found = configured_of(read(monkeypatch, **COMPLETE, ALERT_CHANNELS=names))

    assert [each.name for each in found] == [name for name in REQUIRED if name not in {"telegram", "webhook"}]
    assert [each.channel.name for each in found] == [each.name for each in found]


@pytest.mark.parametrize("name", list(REQUIRED)[1:])
def test_a_named_channel_needs_its_variables(monkeypatch, name):
    line = refusal(monkeypatch, ALERT_CHANNELS=f"{name}:warning")

    assert line == f"ALERT_CHANNELS names {name}, which needs {' and '.join(REQUIRED[name])}."


_NAMES = "telegram, webhook, pagerduty, jsm, grafana_irm, incident_io, ntfy, slack, email, alertmanager, apprise"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"ALERT_CHANNELS": "telegram:warning,pagerdutty:error"},
            f"ALERT_CHANNELS names 'pagerdutty', but a channel is one of {_NAMES}.",
        ),
        (
            {"ALERT_CHANNELS": "0123456789abcdef0123456789abcdef"},
            f"ALERT_CHANNELS names (hidden), but a channel is one of {_NAMES}.",
        ),
        (
            {"ALERT_CHANNELS": "slack:loud"},
            "ALERT_CHANNELS has the level 'loud' for slack, but must have info, warning, error or critical.",
        ),
        (
            {"ALERT_CHANNELS": "slack"},
            "ALERT_CHANNELS has no level for slack, but must have info, warning, error or critical.",
        ),
        ({"ALERT_CHANNELS": "slack:info,slack:error"}, "ALERT_CHANNELS names slack twice."),
        (
            {"ALERT_CHANNELS": "telegram:error"},
            "ALERT_CHANNELS has telegram:error, but the level of telegram must be warning.",
        ),
        ({"ALERT_ESCALATION": "slak"}, f"ALERT_ESCALATION names 'slak', but a channel is one of {_NAMES}."),
        (
            {"ALERT_ESCALATION": "telegram", "ALERT_ESCALATE_AFTER": "5m"},
            "ALERT_ESCALATION names telegram, which needs TELEGRAM_TOKEN and MANAGER_CHAT_ID.",
        ),
        (
            {"ALERT_ESCALATION": "webhook", "ALERT_ESCALATE_AFTER": "5m"},
            "ALERT_ESCALATION names webhook, which needs ALERT_WEBHOOK_URL.",
        ),
        ({"ALERT_ESCALATION": "slack,slack"}, "ALERT_ESCALATION names slack twice."),
        (
            {"ALERT_ESCALATION": "jsm", "ALERT_ESCALATE_AFTER": "5m"},
            "ALERT_ESCALATION names jsm, which needs JSM_API_KEY.",
        ),
        (
            {"ALERT_ESCALATION": "telegram", "ALERT_ESCALATE_AFTER": "5m", **_TELEGRAM},
            "ALERT_ESCALATION names telegram alone, but must name another channel: ALERT_CHANNELS sends each error there at once.",
        ),
        (
            {
                "ALERT_CHANNELS": "telegram:warning,slack:error",
                "ALERT_ESCALATION": "slack,telegram",
                "ALERT_ESCALATE_AFTER": "5m",
                **_TELEGRAM,
                **_SLACK,
            },
            "ALERT_ESCALATION names slack and telegram alone, but must name another channel: ALERT_CHANNELS sends each error there at once.",
        ),
        (
            {"ALERT_ESCALATION": "slack", "SLACK_BOT_TOKEN": "xoxb-123456", "SLACK_CHANNEL_ID": "C012345"},
            "ALERT_ESCALATION is set, which needs ALERT_ESCALATE_AFTER: a duration such as 15m.",
        ),
        (
            {"ALERT_ESCALATE_AFTER": "15m"},
            "ALERT_ESCALATE_AFTER is set, which needs ALERT_ESCALATION: names of channels.",
        ),
        (
            {"ALERT_ESCALATE_AFTER": "soon"},
            "ALERT_ESCALATE_AFTER is 'soon', but must be a duration from 1s to 7d, such as 15m or 1h30m.",
        ),
        (
            {"PAGERDUTY_ROUTING_KEY": "short-key"},
            "PAGERDUTY_ROUTING_KEY is (hidden), but must be the integration key of an Events API v2 integration: 32 characters.",
        ),
        (
            {"SMTP_HOST": "mail.example", "SMTP_TLS": "off"},
            "SMTP_TLS is off, but must be starttls or tls, since SMTP_HOST is not this machine.",
        ),
        ({"SMTP_USERNAME": "anna"}, "SMTP_USERNAME is set, which needs SMTP_PASSWORD."),
        ({"SMTP_PASSWORD": "secret"}, "SMTP_PASSWORD is set, which needs SMTP_USERNAME."),
    ],
)
def test_a_wrong_channel_is_one_line(monkeypatch, variables, line):
    assert refusal(monkeypatch, **variables) == line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GRAFANA_IRM_URL", "irm.example/x"),
        ("INCIDENT_IO_URL", "https://api.incident.io/v2/alerts"),
        ("NTFY_TOPIC", "a topic"),
        ("SLACK_CHANNEL_ID", "#alerts"),
        ("SMTP_TLS", "yes"),
        ("SMTP_PORT", "0"),
        ("EMAIL_FROM", "Anna <anna@shop.example>"),
        ("EMAIL_FROM", "anna@shop.example,boris@shop.example"),
        ("EMAIL_TO", "anna@shop.example\nBcc: x@y.example"),
        ("EMAIL_TO", "anna"),
        ("ALERTMANAGER_URL", "alertmanager:9093"),
        ("ALERT_APPRISE_URLS", "not-a-url"),
        ("ALERT_ESCALATE_AFTER", "8d"),
        ("ALERT_ESCALATE_AFTER", "0s"),
    ],
)
def test_a_wrong_variable_of_a_channel_is_one_line_that_names_it(monkeypatch, variable, value):
    line = refusal(monkeypatch, **{variable: value})

    assert line.startswith(f"{variable} is ")
    assert "\n" not in line


def test_apprise_needs_its_package(monkeypatch):
    monkeypatch.setattr(apprise_package, "is_installed", lambda: False)

    line = refusal(monkeypatch, **COMPLETE, ALERT_CHANNELS="apprise:warning")

    assert line == "ALERT_CHANNELS names apprise, which needs a package: pip install apprise."


def test_a_url_that_apprise_does_not_know_stops_the_start(monkeypatch):
    urls = {"ALERT_APPRISE_URLS": "json://hook.example nothing://secret-canary"}

    line = refusal(monkeypatch, **COMPLETE | urls, ALERT_CHANNELS="apprise:warning")

    assert line == "ALERT_APPRISE_URLS has at place 2 a URL that Apprise does not know."


def test_the_secrets_of_channels_are_redacted(monkeypatch):
    secrets = collect_secrets(read(monkeypatch, **COMPLETE), {}).values()

    assert "jsm-canary-1" in secrets
    assert "shop-alerts-canary" in secrets
    assert "/integrations/v1/formatted_webhook/irm-canary/" in secrets
    assert "json://hook.example/canary-a" in secrets
    assert "canary-b" in secrets


def test_a_proxy_that_a_channel_cannot_use_stops_the_start(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy:1080")

    line = refusal(
        monkeypatch, **{**COMPLETE, "TELEGRAM_TOKEN": "", "ALERT_WEBHOOK_URL": "", "ALERT_CHANNELS": "slack:error"}
    )

    assert line.startswith("ALL_PROXY is socks4://proxy:1080")


def test_the_urls_of_apprise_may_be_separated_by_commas_spaces_and_lines(monkeypatch):
    settings = read(monkeypatch, ALERT_APPRISE_URLS="json://a.example/x,y  mailto://b.example\njson://c.example")

    assert channel_settings.split_urls(settings.alert_apprise_urls) == [
        "json://a.example/x,y",
        "mailto://b.example",
        "json://c.example",
    ]
