import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from service.clients import Clients
from service.instruments import ServiceInstruments
from service.integrations.http.sleep import InstrumentedSleep
from service.jobs.schedule import JOBS
from service.names import ORDERS, OZON, REVIEWS, WB
from service.scheduler.job import Schedule
from service.settings import Settings
from service.shutdown import StopSignal
from service.sync.freshness.streams import STREAMS, monitored_sources
from tests.support.fakes import NOON

OZON_KEYS = {"ozon_client_id": "1", "ozon_api_key": "key-of-the-tests"}


def token(**payload):
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{encoded}.signature"


def sources_of(**values):
    settings = Settings(**values)
    return {each.name: each for each in monitored_sources(Schedule(settings, JOBS), settings, NOON)}


def test_every_source_that_a_sync_reads_is_monitored(sqlite_engine, meter):
    """A new source fails here until it has its row in STREAMS."""
    settings = Settings(wb_api_token=token(acc=3), **OZON_KEYS)
    sleep = InstrumentedSleep(StopSignal(), lambda *_about: None)
    clients = Clients(settings, sqlite_engine, ServiceInstruments.create(meter), sleep)
    read = {
        (name, REVIEWS): {each.name for each in (*shop.unanswered, *shop.history)}
        for name, shop in ((WB, clients.wb_reviews), (OZON, clients.ozon_reviews))
    } | {
        (name, ORDERS): {each.name for each in shop.sources()}
        for name, shop in ((WB, clients.wb_orders), (OZON, clients.ozon_orders))
    }
    clients.close()

    assert {(each.marketplace, each.kind): set(each.sources) for each in STREAMS} == read


def test_the_sources_of_a_marketplace_without_credentials_are_not_monitored():
    assert sources_of() == {}
    assert {each.stream.marketplace for each in sources_of(**OZON_KEYS).values()} == {OZON}


def test_a_source_is_to_be_read_as_often_as_its_job_runs():
    found = sources_of(wb_api_token=token(acc=3), **OZON_KEYS)

    assert found["wb.reviews.answered"].cadence == timedelta(minutes=15)
    assert found["ozon.orders.fbo"].stale_after == timedelta(minutes=90)


def test_a_base_token_reads_as_slowly_as_it_may():
    found = sources_of(wb_api_token=token(acc=1))

    assert found["wb.orders"].cadence == timedelta(hours=6)
    assert found["wb.reviews.unanswered"].cadence == timedelta(minutes=72)


@pytest.mark.parametrize("text", ["no-jwt-at-all", token(), token(acc=True), token(acc="1"), "a.b.c-and-more"])
def test_a_token_that_says_nothing_counts_as_one_with_the_full_limits(text):
    assert sources_of(wb_api_token=text)["wb.orders"].cadence in {timedelta(minutes=30), timedelta(hours=6)}


def test_the_schedule_may_be_asked_at_any_time():
    late = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    settings = Settings(wb_api_token=token(acc=3))

    assert len(monitored_sources(Schedule(settings, JOBS), settings, late)) == 4
