"""The application, as `create_app` makes it, on a migrated database of its own."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.engine import Engine

from service.bootstrap import Service
from service.main import create_app
from service.settings import Settings
from telemetry import setup

AppOf = Callable[..., FastAPI]


@pytest.fixture
def app_of(sqlite_engine: Engine) -> Iterator[AppOf]:
    """Makes applications with the settings that are given; none of them runs a job, nor is its lifespan begun."""
    made: list[FastAPI] = []

    def make(**settings: object) -> FastAPI:
        url = sqlite_engine.url.render_as_string(hide_password=False)
        app = create_app(Settings(**{"database_url": url, "scheduler": False} | settings))
        made.append(app)
        return app

    yield make
    setup.shutdown()
    for app in made:
        app.state.runtime.engine.dispose()


@pytest.fixture
def runtime_of(sqlite_engine: Engine) -> Iterator[Callable[..., Service]]:
    """Makes runtimes with the settings that are given, not started; whatever becomes of them is stopped."""
    made: list[Service] = []

    def make(**settings: object) -> Service:
        url = sqlite_engine.url.render_as_string()
        made.append(Service(Settings(**{"database_url": url, "scheduler": False} | settings)))
        return made[-1]

    yield make
    for runtime in made:
        runtime.stop()


@pytest.fixture
def client(app_of: AppOf) -> TestClient:
    return TestClient(app_of(), raise_server_exceptions=False)
