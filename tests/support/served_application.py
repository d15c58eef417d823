"""The service within the process of the tests, behind a real server on a real port: hundreds of milliseconds instead of the seconds of a process."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from service.main import create_app
from service.settings import Settings
from telemetry import setup
from tests.support.processes import eventually


@dataclass(frozen=True)
class ServedApplication:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, timeout: float = 10.0, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=timeout, trust_env=False)


def service_in(home: Path, sqlite_template: Path, **settings: Any) -> FastAPI:
    """The service with its data in a directory, there a copy of the migrated database, and without a schedule."""
    shutil.copy(sqlite_template, home / "sovani.db")
    kept = {"database_url": f"sqlite:///{home}/sovani.db", "data_dir": home, "log_dir": home / "log"}
    return create_app(Settings(**{**kept, "scheduler": False, **settings}))


@contextmanager
def served_application(app: FastAPI, **options: Any) -> Iterator[ServedApplication]:
    """Serve until the block ends, with these options of uvicorn, and then shut the telemetry down."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        served = ServedApplication(server.servers[0].sockets[0].getsockname()[1])
        eventually(lambda: served.get("/readyz").is_success)
        yield served
    finally:
        server.should_exit = True
        thread.join(30)
        setup.shutdown()
    assert not thread.is_alive()
