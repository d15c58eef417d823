import pytest

from telemetry.environment.errors import SettingsError
from telemetry.environment.runbook import NO_RUNBOOK, Runbook, RunbookSection, checked_url, section_of_logger
from telemetry.settings import TelemetrySettings

WIKI = "https://wiki.example/runbook"


@pytest.mark.parametrize(
    ("runbook", "section", "link"),
    [
        (Runbook(WIKI), RunbookSection.JOB_FAILED, f"{WIKI}#message-job-failed"),
        (Runbook(WIKI), "", f"{WIKI}#message-an-error-of-a-library"),
        (Runbook(WIKI), 'my "own" <b>#', f"{WIKI}#my%20%22own%22%20%3Cb%3E%23"),
        (Runbook("docs/how-to/runbook.md"), "disk", "docs/how-to/runbook.md#disk"),
        (NO_RUNBOOK, RunbookSection.JOB_FAILED, ""),
    ],
)
def test_an_alert_links_to_its_section_and_one_of_no_kind_to_that_of_any_error(runbook, section, link):
    assert runbook.link(section) == link


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/runbook",
        "https://wiki.example",
        "https://wiki.example/a/b.html?version=2",
        "https://[::1]:8443/x",
        "https://вики.рф/дежурство",
    ],
)
def test_a_web_address_is_taken_as_it_is(url):
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "docs/how-to/runbook.md",
        "wiki.example/runbook",
        "//wiki.example/runbook",
        "ftp://wiki.example/runbook",
        "javascript:alert(1)",
        "https://",
        "https:///runbook",
        "https://wiki.example:port/runbook",
        "https://wiki.example:99999/runbook",
        "https://wiki.example/run book",
        "https://wiki.example/run\nbook",
        "https://wiki.example/run\tbook",
        "https://wiki.example/a\u00a0b",
        "https://user:hidden-word@wiki.example/runbook",
        "https://user@wiki.example/runbook",
        "https://wiki.example/runbook#there",
        "https://[::1/x",
        "https://wiki.example/" + 300 * "x",
    ],
)
def test_a_wrong_address_stops_the_start_with_one_line(monkeypatch, url):
    monkeypatch.setenv("RUNBOOK_URL", url)

    with pytest.raises(SettingsError) as caught:
        TelemetrySettings.read()

    [line] = str(caught.value).splitlines()
    assert line.startswith("RUNBOOK_URL is ")
    assert line.endswith("without spaces, credentials and #, of at most 300 characters.")
    assert "hidden-word" not in line


def test_without_an_address_another_application_links_to_nothing():
    assert TelemetrySettings.read().runbook == NO_RUNBOOK


@pytest.mark.parametrize(
    ("logger", "section"),
    [
        ("opentelemetry.exporter.otlp.proto.http.trace_exporter", RunbookSection.EXPORT_FAILED),
        ("opentelemetry.exporter.otlp.proto.grpc.exporter", RunbookSection.EXPORT_FAILED),
        ("opentelemetry.sdk.trace", ""),
        ("asyncio", ""),
        ("", ""),
    ],
)
def test_the_errors_of_a_library_that_has_a_section_are_known_by_its_logger(logger, section):
    assert section_of_logger(logger) == section
