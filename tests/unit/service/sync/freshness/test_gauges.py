"""The gauges as they are on `/metrics`, of one process and of several."""

from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from service.instruments import METRIC_MAPPINGS
from service.settings import Settings
from service.sync.freshness.gauges import FreshnessGauges
from service.sync.freshness.monitor import FreshnessMonitor
from service.sync.freshness.snapshot import SourceReading, WaitingReviews, read_snapshot
from service.sync.freshness.streams import STREAMS, MonitoredSource
from telemetry.database import create_engine, transaction
from telemetry.metrics.families import Translator
from telemetry.metrics.multiprocess.merge import merge
from telemetry.metrics.multiprocess.snapshot import Snapshot as WorkerSnapshot
from tests.support.fakes import MINUTE, NOON

SOURCES = [MonitoredSource(name, stream, 15 * MINUTE) for stream in STREAMS for name in stream.sources]


class Process:
    """One process with these figures, at noon."""

    def __init__(self, snapshot, now=NOON):
        self.snapshot, self.now, self._reader = snapshot, now, InMemoryMetricReader()
        meter = MeterProvider([self._reader], shutdown_on_exit=False).get_meter("tests")
        FreshnessGauges(SOURCES, lambda: self.snapshot, lambda: self.now).observe(meter)

    def families(self):
        data = self._reader.get_metrics_data()
        metrics = [each for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for each in s.metrics]
        return Translator(METRIC_MAPPINGS).translate(metrics)


def shown(families):
    return {family.name: family.series for family in families if family.series}


@pytest.fixture
def snapshot(sqlite_engine):
    with transaction(sqlite_engine) as session:
        empty = read_snapshot(session, Settings(), NOON)
    return replace(
        empty,
        readings={
            "wb.orders": SourceReading({}, NOON - MINUTE, NOON - 90 * MINUTE),
            "vanished": SourceReading({}, NOON, NOON),
        },
        waiting={("wb", 1): WaitingReviews(3, NOON - 60 * MINUTE)},
        without_draft=2,
        rate_limited_until={"wb": NOON + MINUTE},
        expiries={"ozon": NOON + 2 * MINUTE},
        suspended=frozenset({"sync_ozon_reviews"}),
    )


def test_every_figure_has_its_series(snapshot):
    found = shown(Process(snapshot).families())

    assert found["source_age_seconds"] == {'marketplace="wb",source="wb.orders"': 5400.0}
    assert len(found["reviews_waiting"]) == len(found["reviews_waiting_oldest_age_seconds"]) == 12
    assert found["reviews_waiting"]['marketplace="wb",rating="1"'] == 3
    assert found["reviews_waiting_oldest_age_seconds"]['marketplace="wb",rating="1"'] == 3600.0
    assert found["reviews_without_draft"] == {"": 2}
    assert found["rate_limited_until_timestamp_seconds"] == {
        'service="wb"': NOON.timestamp() + 60, 'service="ozon"': 0, 'service="openai"': 0,
    }  # fmt: skip
    assert found["credential_expiry_timestamp_seconds"] == {'service="ozon"': NOON.timestamp() + 120}
    assert found["scheduler_job_suspended"] == {
        f'job_name="{name}"': int(name == "sync_ozon_reviews")
        for name in ("sync_ozon_orders", "sync_ozon_reviews", "sync_wb_orders", "sync_wb_reviews")
    }


def test_before_the_first_answer_of_the_database_nothing_is_said():
    assert shown(Process(None).families()) == {}


def test_several_processes_show_the_figures_of_one(snapshot):
    """Also the figures that the older one does not know to be over."""
    older, newer = Process(snapshot), Process(replace(snapshot, waiting={}, without_draft=1))
    workers = [WorkerSnapshot(str(n), float(n), each.families()) for n, each in enumerate((older, newer), 1)]

    assert shown(merge(workers, [])) == shown(newer.families())


def test_while_the_database_is_away_ages_grow_on_and_old_numbers_are_not_shown(snapshot):
    process = Process(snapshot, NOON + timedelta(hours=1))

    found = shown(process.families())

    assert found["source_age_seconds"] == {'marketplace="wb",source="wb.orders"': 9000.0}
    assert found["reviews_waiting_oldest_age_seconds"]['marketplace="wb",rating="1"'] == 7200.0
    assert {"reviews_waiting", "reviews_without_draft"} & found.keys() == set()


def test_the_monitor_keeps_the_last_snapshot_while_the_database_is_away(sqlite_engine, tmp_path):
    seen = []
    monitor = FreshnessMonitor(sqlite_engine, Settings(), lambda: NOON, seen.append)
    monitor.check()
    nowhere = create_engine(f"sqlite:///{tmp_path}/no/such/directory.db")
    away = FreshnessMonitor(nowhere, Settings(), lambda: NOON, seen.append)
    away.snapshot = monitor.snapshot

    away.check()

    nowhere.dispose()
    assert (away.snapshot, seen) == (monitor.snapshot, [monitor.snapshot])
    assert monitor.snapshot is not None


def test_a_slow_database_is_asked_less_often(sqlite_engine):
    times, asked = iter([0.0, 2.0, 39.0, 41.0, 41.0]), []
    monitor = FreshnessMonitor(sqlite_engine, Settings(), lambda: NOON, asked.append, lambda: next(times))

    for _ in range(3):
        monitor.check()

    assert len(asked) == 2
