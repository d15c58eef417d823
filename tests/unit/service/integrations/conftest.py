"""Clients that are paced by a real database, against services on loopback that a test scripts."""

import threading

import pytest
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Conventions

from service.database.tables import RateLimitRow
from service.integrations.endpoints import outbound_services
from service.integrations.http.client import MAX_WAIT_SECONDS, ApiClient, ApiDescription, rate_limited
from service.integrations.http.errors import Rejected
from service.integrations.http.rate_limiter import RateLimiter
from service.integrations.ozon.client import ozon_api
from service.integrations.wildberries.client import feedbacks_api, statistics_api
from service.integrations.wildberries.marketplace import WildberriesReviews
from service.integrations.wildberries.orders import OrderSource
from service.settings import Settings
from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.libraries import Providers, instrument_libraries, uninstrument_libraries
from tests.support.loopback import Loopback
from tests.support.ozon_stub import API_KEY, CLIENT_ID, ManualClock, OzonStub
from tests.support.wildberries_payloads import LIMIT, TOKEN
from tests.unit.telemetry.instrumentation.conftest import Signals


@pytest.fixture
def ozon():
    """Ozon on loopback."""
    with OzonStub() as stub:
        serving = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield stub
        stub.shutdown()
        serving.join(5)


@pytest.fixture
def ozon_clock():
    return ManualClock()


@pytest.fixture
def ozon_client(ozon, ozon_clock, sqlite_engine):
    RateLimitRow.__table__.create(sqlite_engine, checkfirst=True)
    pace = RateLimiter(sqlite_engine, clock=ozon_clock.seconds)
    client = ApiClient(ozon_api(ozon.url, CLIENT_ID, API_KEY), pace, ozon_clock.wait)
    yield client
    client.close()


@pytest.fixture
def world():
    """A service on loopback."""
    with Loopback() as world:
        serving = threading.Thread(target=world.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield world
        world.released.set()
        world.shutdown()
        serving.join(5)


@pytest.fixture
def clock():
    """Stands still until somebody waits by it; it is also what the pace goes by."""
    return ManualClock()


@pytest.fixture
def pace(sqlite_engine, clock):
    RateLimitRow.__table__.create(sqlite_engine, checkfirst=True)
    return RateLimiter(sqlite_engine, clock.seconds)


@pytest.fixture
def client_of(pace, clock):
    """Makes clients of an API."""
    made = []

    def make(api, patience=MAX_WAIT_SECONDS, wait=clock.wait):
        made.append(ApiClient(api, pace, wait, patience))
        return made[-1]

    yield make
    for client in made:
        client.close()


def _refusal(answer):
    return rate_limited("wb", answer, "x-ratelimit-retry", "retry-after") or Rejected(f"wb says {answer.status}.")


@pytest.fixture
def api(world):
    """The plainest API that there is."""
    return ApiDescription("wb", world.url, {"authorization": TOKEN}, _refusal)


@pytest.fixture
def reviews(world, client_of, clock):
    return WildberriesReviews(client_of(feedbacks_api(world.url, TOKEN)), LIMIT, clock.now)


@pytest.fixture
def orders(world, client_of, clock):
    return OrderSource(client_of(statistics_api(world.url, TOKEN)), LIMIT, clock.now)


@pytest.fixture
def watch(monkeypatch, world):
    """What the telemetry sees of calls to the world, which stands for Wildberries."""
    monkeypatch.setattr(Conventions, "_initialized", False)
    monkeypatch.setattr(Conventions, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    watch = Signals()
    known = outbound_services(Settings(wb_feedbacks_url=world.url, wb_statistics_url=world.url))
    instrument_libraries(
        Providers(watch.tracers, watch.meters), watch.instruments, ServiceDirectory(known), engine=None
    )
    yield watch
    uninstrument_libraries()
    watch.close()
