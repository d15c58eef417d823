"""Private names of the SDK: found where they are, and named once where they are not."""

import logging

import pytest

from telemetry.compatibility import internals
from telemetry.sdk.reentrant_locks import make_locks_reentrant


@pytest.fixture(autouse=True)
def _as_at_the_start(monkeypatch):
    monkeypatch.setattr(internals, "_missing", {})
    monkeypatch.setattr(internals, "_reported", set())


def test_what_is_there_is_found_and_nothing_is_said(caplog):
    assert internals.find("opentelemetry.sdk.metrics", "MeterProvider") is not None

    internals.report_missing()

    assert caplog.records == []


def test_what_is_missing_is_none_and_is_named_in_one_line_at_the_start(caplog):
    assert internals.find("opentelemetry.sdk.metrics", "_gone") is None
    assert internals.find("opentelemetry.sdk._gone", "anything") is None
    assert caplog.records == []

    internals.report_missing()
    internals.report_missing()

    [line] = caplog.messages
    assert "has no opentelemetry.sdk.metrics._gone, opentelemetry.sdk._gone" in line


def test_what_is_missed_while_the_process_runs_is_named_once(caplog):
    internals.report_missing()

    for _ in range(3):
        internals.note_missing("_reader_storages")

    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_module_that_is_gone_does_not_keep_the_locks_of_the_others_from_being_made_reentrant(monkeypatch, caplog):
    monkeypatch.setattr("telemetry.sdk.reentrant_locks._MODULES", ("opentelemetry.sdk.gone", "opentelemetry.sdk.trace"))

    make_locks_reentrant()
    internals.report_missing()

    [line] = caplog.messages
    assert "opentelemetry.sdk.gone" in line
