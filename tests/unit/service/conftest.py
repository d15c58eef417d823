"""The application, as `create_app` makes it, on a migrated database of its own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

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


@pytest.fixture(scope="module")
def shared_app_of(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppOf]:
    """As `app_of`, but for all tests of a module: the application is the last one as long as the same settings are given.

    The tests must leave it as it was. A module that wants it has a fixture `app_of` that returns it.
    """
    home = tmp_path_factory.mktemp("shared")
    file = shutil.copy(sqlite_template, home / "shop.db")
    usual = {"database_url": f"sqlite:///{file}", "scheduler": False, "data_dir": home, "log_dir": home / "log"}
    made: list[tuple[dict[str, object], FastAPI]] = []

    def end() -> None:
        setup.shutdown()
        for _, app in made:
            app.state.runtime.engine.dispose()
        made.clear()

    def make(**settings: object) -> FastAPI:
        if not made or made[0][0] != settings:
            end()  # the telemetry of a process has the settings of its first application
            made.append((settings, create_app(Settings(**usual | settings))))
        return made[0][1]

    yield make
    end()


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
