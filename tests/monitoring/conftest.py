"""The whole application: its own migrated database, served in this process, with nothing faked."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.main import create_app
from service.settings import Settings
from telemetry import setup


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home: Path = tmp_path_factory.mktemp("monitoring")
    settings = Settings(
        database_url=f"sqlite:///{home}/sovani.db", data_dir=home, log_dir=home / "log", scheduler=False
    )
    with TestClient(create_app(settings)) as client:
        _wait_until_ready(client)
        yield client
    setup.shutdown()


def _wait_until_ready(client: TestClient) -> None:
    end = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < end, client.get("/readyz").text
        time.sleep(0.02)
