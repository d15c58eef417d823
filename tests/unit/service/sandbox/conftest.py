"""The environment of a fake service, a clock that tests move, and an HTTP client."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import uvicorn
from httpx2 import Response
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from service.sandbox.credentials import OZON_API_KEY, OZON_CLIENT_ID
from service.sandbox.fake_service import Environment, FakeService
from service.sandbox.journal import Journal
from service.sandbox.options import Options
from service.sandbox.ozon.fake import OzonFake
from service.sandbox.simulation import Simulation

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)


class HandClock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = EPOCH

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def advance(self, step: timedelta) -> None:
        self.now += step


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def environment_of(clock: HandClock, journal: Journal | None = None, **options: object) -> Environment:
    """The environment of seed 1; `journal` may be that of an earlier environment."""
    journal = journal or Journal()
    return Environment(Simulation(1, journal.start(1, EPOCH), clock), journal, Options(**options))


@pytest.fixture
def make_environment(clock: HandClock) -> Callable[..., Environment]:
    return partial(environment_of, clock)


def mount_fake(fake: FakeService) -> Starlette:
    """The routes of the fake, mounted as in the sandbox, without faults."""
    routes: list[BaseRoute] = []
    for prefix, served in fake.routes().items():
        routes.extend([Mount(prefix, app=Starlette(routes=served))] if prefix else served)
    return Starlette(routes=routes)


@pytest.fixture
def make_client() -> Callable[[FakeService], TestClient]:
    return lambda fake: TestClient(mount_fake(fake))


@pytest.fixture
def served() -> Iterator[Callable[[ASGIApp], str]]:
    """Serves applications on free ports of loopback with a real server; returns the URL of each."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(app: ASGIApp) -> str:
        config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        listener = config.bind_socket()
        listener.listen()  # so that no early connection is refused
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


class OzonSeller:
    """A client with keys: `seller("/v1/roles", {})` posts to `seller.fake`."""

    def __init__(self, fake: OzonFake, client: TestClient) -> None:
        self.fake = fake
        self.client = client

    def __call__(self, path: str, body: object = None) -> Response:
        keys = {"Client-Id": OZON_CLIENT_ID, "Api-Key": OZON_API_KEY}
        return self.client.post(f"/ozon{path}", json={} if body is None else body, headers=keys)


@pytest.fixture
def make_ozon(
    make_environment: Callable[..., Environment], make_client: Callable[[FakeService], TestClient], clock: HandClock
) -> Callable[..., OzonSeller]:
    """Makes a fake Ozon and its client. Unless they are given, there is no rate limit and no moderation."""

    def make(
        journal: Journal | None = None, seconds: Callable[[], float] = clock.seconds, **options: object
    ) -> OzonSeller:
        fake = OzonFake(
            make_environment(journal, **{"ozon_per_second": 1000.0, "moderation": timedelta(0)} | options), seconds
        )
        return OzonSeller(fake, make_client(fake))

    return make
