"""Clients with a rate limiter in a real database, against scripted servers on loopback."""

import threading

import pytest

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
from tests.support.loopback import loopback
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
    rate_limiter = RateLimiter(sqlite_engine, clock=ozon_clock.seconds)
    client = ApiClient(ozon_api(ozon.url, CLIENT_ID, API_KEY), rate_limiter, ozon_clock.wait)
    yield client
    client.close()


@pytest.fixture
def server():
    """A scripted server on loopback."""
    with loopback() as server:
        yield server


@pytest.fixture
def clock():
    """Stands still until it is slept on; it is also the clock of the rate limiter."""
    return ManualClock()


@pytest.fixture
def rate_limiter(sqlite_engine, clock):
    RateLimitRow.__table__.create(sqlite_engine, checkfirst=True)
    return RateLimiter(sqlite_engine, clock.seconds)


@pytest.fixture
def client_of(rate_limiter, clock):
    """Makes clients of an API."""
    made = []

    def make(api, patience=MAX_WAIT_SECONDS, wait=clock.wait, on_unreadable=lambda: None):
        made.append(ApiClient(api, rate_limiter, wait, patience, on_unreadable))
        return made[-1]

    yield make
    for client in made:
        client.close()


def _refusal(answer):
    return rate_limited("wb", answer, "x-ratelimit-retry", "retry-after") or Rejected(f"wb says {answer.status}.")


@pytest.fixture
def api(server):
    """The simplest API."""
    return ApiDescription("wb", server.url, {"authorization": TOKEN}, _refusal)


@pytest.fixture
def reviews(server, client_of, clock):
    return WildberriesReviews(client_of(feedbacks_api(server.url, TOKEN)), LIMIT, clock.now)


@pytest.fixture
def orders(server, client_of, clock):
    return OrderSource(client_of(statistics_api(server.url, TOKEN)), LIMIT, clock.now)


@pytest.fixture
def watch(server):
    """The telemetry of calls to the server, which stands for Wildberries."""
    watch = Signals()
    known = outbound_services(Settings(wb_feedbacks_url=server.url, wb_statistics_url=server.url))
    instrument_libraries(Providers(watch.tracers, watch.meters), watch.instruments, ServiceDirectory(known))
    yield watch
    uninstrument_libraries()
    watch.close()
