import tempfile

import pytest

from telemetry.isolated_selftest import IsolatedSelfTest
from telemetry.selftest import NothingEmitted
from telemetry.settings import TelemetrySettings


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    home = tmp_path / "tmp"
    home.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    yield home
    assert list(home.iterdir()) == []


def results(selftest):
    found = {}
    for name, check in selftest.checks().items():
        try:
            found[name] = check()
        except NothingEmitted as error:
            found[name] = f"FAIL {error}"
    return found


def test_all_of_it_comes_out_with_no_variable_of_the_application(monkeypatch, tmp_path):
    monkeypatch.setenv("telegram_token", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    settings = TelemetrySettings(
        telegram_token="123456:ABC-DEF", database_url=f"sqlite:///{tmp_path}/shop.db", otel_traces_sampler="always_on"
    )

    assert results(IsolatedSelfTest(settings)) == {
        "request": "counted and traced",
        "query": "measured and traced",
        "call": "measured and traced",
        "job": "recorded, measured and traced",
        "log": "counted",
    }


@pytest.mark.e2e
def test_a_database_that_does_not_answer_fails_the_query_alone():
    settings = TelemetrySettings(database_url="postgresql://seller:hunter2@127.0.0.1:1/shop")

    found = results(IsolatedSelfTest(settings))

    assert found.pop("query") == "FAIL Connection refused"
    assert not any(finding.startswith("FAIL") for finding in found.values())


def test_a_self_test_that_hangs_is_ended_and_told():
    found = results(IsolatedSelfTest(TelemetrySettings(), timeout=0.01))

    assert set(found.values()) == {"FAIL The self-test did not end within 0.01 seconds."}


@pytest.mark.e2e
def test_a_self_test_that_cannot_begin_says_why(monkeypatch):
    monkeypatch.setenv("OTEL_PROPAGATORS", "no-such-propagator")

    found = results(IsolatedSelfTest(TelemetrySettings()))

    assert all("ended early, with exit status 1: " in finding for finding in found.values())
    assert all("no-such-propagator" in finding for finding in found.values())
