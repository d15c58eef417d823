from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.telegram import Bot, Telegram
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.markup import clean, cut, cut_front, units
from telemetry.alerts.rendering.message import MAX_LENGTH, Links, RenderRequest, render
from telemetry.environment.runbook import Runbook
from tests.support.telegram_server import NOON, TELEGRAM_CHAT_ID, TELEGRAM_TOKEN, URL, HandClock, StrictTelegram
from tests.unit.telemetry.alerts.conftest import incident

ANY = st.text(st.characters(), max_size=300) | st.sampled_from(
    [
        "<b>",
        "</a>",
        "&amp;",
        "&",
        "`",
        "*_[",
        "\x1b[31mred\x1b[0m",
        "\x00",
        "\ud83d",
        "👨‍👩‍👧",
        "",
        " ",
        "\n" * 50,
        "тест",
        "\u202e",
        "<" * 5000,
    ]
)
LONG = (
    ANY
    | st.integers(1, 20_000).map(lambda number: "😀" * number)
    | st.integers(1, 20_000).map(lambda number: "&<>" * number)
)
INCIDENTS = st.builds(
    lambda summary, error, stack, component, location, facts, count, trace, section, resolution: incident(
        summary=summary,
        error=error,
        stack=stack,
        component=component,
        location=location,
        facts=facts,
        count=count,
        trace_id=trace,
        section=section[:200],
        resolution=resolution,
    ),
    LONG,
    LONG,
    LONG,
    ANY,
    ANY,
    st.dictionaries(ANY, LONG, max_size=8),
    st.integers(1, 10**9),
    st.sampled_from(["", "a" * 32]),
    ANY,
    LONG,
)
KINDS = st.sampled_from(["alert", "again", "digest", "summary", "end"])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(INCIDENTS, min_size=1, max_size=6),
    KINDS,
    st.booleans(),
    st.sampled_from(["", 'https://t/"<{trace_id}>&x=1']),
    st.sampled_from(["", "docs/runbook.md", 'https://r/"<>&x=1' + 280 * "y"]),
)
@example([incident(summary="")], "alert", False, "", "")
def test_whatever_the_text_is_telegram_takes_it(incidents, kind, possible_duplicate, trace_url, runbook):
    strict = StrictTelegram(HandClock(), telegram_limits=False)
    channel = Telegram(Bot(SecretStr(TELEGRAM_TOKEN), TELEGRAM_CHAT_ID, api_url=URL), strict.client())
    links = Links(trace_url, Runbook(runbook))
    message = render(RenderRequest(kind, incidents, NOON + 60, NOON, possible_duplicate), links)

    sent = channel.send(Notification(kind, incidents, id=1), message, ChannelState("telegram"))

    assert [status for _, _, status in strict.calls] == [200]
    assert sent.state.plain_texts == 0
    assert units(message.plain) <= MAX_LENGTH
    if message.rest is not None:
        channel.send(Notification("file", incidents, id=2), message, ChannelState("telegram"))
        assert [status for _, _, status in strict.calls] == [200, 200]


def test_the_message_is_that_of_the_contract():
    sent = incident(
        level=AlertLevel.WARNING,
        component="scheduler",
        summary="Job 'sync_wb_orders' failed:\nTimeout connecting to WB API",
    )

    message = render(RenderRequest("alert", [sent], NOON))

    assert message.plain == (
        "⚠️ WARNING\nComponent: scheduler\nTime: 2025-10-02 12:00:00 UTC\n\n"
        "Job 'sync_wb_orders' failed:\nTimeout connecting to WB API"
    )


def test_it_says_what_helps_at_three_in_the_morning():
    sent = incident(
        summary="GET /x crashed",
        error="TimeoutError: too slow",
        location="service/x.py:3 in y",
        facts={"Failures": "3 in a row", "Last success": "never"},
        trace_id="a" * 32,
        count=37,
        last_at=NOON + 240,
        stack="Traceback\n  line",
    )

    message = render(RenderRequest("alert", [sent], NOON + 300), Links("https://traces/{trace_id}"))

    assert message.plain.splitlines()[4:] == [
        "GET /x crashed",
        "TimeoutError: too slow",
        "service/x.py:3 in y",
        "",
        "Traceback",
        "  line",
        "",
        "Failures: 3 in a row",
        "Last success: never",
        f"Trace {'a' * 32}",
        "×37, last 12:04",
    ]
    assert f'<a href="https://traces/{"a" * 32}">' in message.html
    assert message.rest is None


@pytest.mark.parametrize("level", list(AlertLevel))
def test_each_level_has_its_mark(level):
    mark = {"INFO": "ℹ️", "WARNING": "⚠️", "ERROR": "❌", "CRITICAL": "🚨"}[level]

    assert render(RenderRequest("alert", [incident(level=level)], NOON)).plain.startswith(f"{mark} {level}\n")


def test_a_digest_of_very_many_counts_those_that_it_does_not_name_and_attaches_all():
    many = [
        incident(id=number, summary=f"kind {number} " + "x" * 90, count=2, first_at=NOON + number)
        for number in range(300)
    ]

    message = render(RenderRequest("digest", many, NOON + 400))

    named = message.plain.count("kind ")
    assert "300 alerts" in message.plain
    assert "×600 in all" in message.plain
    assert message.plain.splitlines()[-1] == f"… and {300 - named} more, ×{2 * (300 - named)}"
    assert message.rest is not None
    assert message.rest.count("kind ") == 300


def test_the_end_of_a_cut_text_is_whole_characters():
    assert cut("😀" * 10, 5) == "😀😀…"
    assert cut_front("😀" * 10, 5) == "…😀😀"
    assert cut("abc", 3) == "abc"
    assert cut("abc", 0) == ""
    assert cut_front("abc", 1) == "…"


def test_what_is_no_text_is_taken_out():
    assert clean("\x1b[31mred\x1b[0m \x00 \ud83d\r\n\ttab") == "red \ufffd ?\n    tab"


def test_a_moment_of_another_day_has_its_date():
    sent = replace(incident(count=2), last_at=NOON + 86_400)

    assert render(RenderRequest("alert", [sent], NOON)).plain.endswith("×2, last 2025-10-03 12:00")


def test_what_lasts_is_not_counted_by_how_often_it_was_looked_at():
    sent = incident(state="job:sync", count=4, facts={"Failures": "6 in a row"})

    assert render(RenderRequest("alert", [sent], NOON)).plain.endswith("\n\nFailures: 6 in a row")


WIKI = Links(runbook=Runbook('https://wiki.example/a?b=1&c="2'))


@pytest.mark.parametrize(
    ("kind", "section", "anchor"),
    [
        ("alert", "message-job-failed", "message-job-failed"),
        ("again", "message-job-failed", "message-job-failed"),
        ("alert", "", "message-an-error-of-a-library"),
        ("digest", "message-job-failed", "message-many-alerts-in-one"),
        ("summary", "", "message-many-alerts-in-one"),
    ],
)
def test_a_message_links_to_its_section_of_the_runbook_and_without_html_has_the_address(kind, section, anchor):
    message = render(RenderRequest(kind, [incident(section=section)], NOON, NOON), WIKI)

    assert f'<a href="https://wiki.example/a?b=1&amp;c=&quot;2#{anchor}">Runbook</a>' in message.html
    still = "\nStill there, 0 s later." if kind == "again" else ""
    assert message.plain.endswith(f'Runbook: https://wiki.example/a?b=1&c="2#{anchor}{still}')
    assert "Runbook" not in render(RenderRequest(kind, [incident(section=section)], NOON, NOON)).plain


def test_the_path_of_a_runbook_in_a_repository_is_no_link():
    links = Links(runbook=Runbook("docs/runbook.md"))

    message = render(RenderRequest("alert", [incident()], NOON), links)

    assert message.plain.endswith("\n\nRunbook: docs/runbook.md#message-an-error-of-a-library")
    assert "<a " not in message.html


def test_an_end_says_what_works_again_and_that_of_an_earlier_version_how_long_it_lasted():
    ended = incident(summary="It\nfails.", ended_at=NOON + 90, end_reason="resolved", section="x")
    again = replace(ended, resolution="It works <again> since 12:01 UTC.")

    texts = [render(RenderRequest("end", [each], NOON + 90), WIKI) for each in (again, ended)]

    assert [text.plain.splitlines()[4:] for text in texts] == [
        ["It works <again> since 12:01 UTC.", "Before: It fails."],
        ["It lasted 1 min 30 s, from 12:00 to 12:01 UTC.", "Before: It fails."],
    ]
    assert "&lt;again&gt;" in texts[0].html
