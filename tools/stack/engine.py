"""A container engine of the stack's own: `dockerd` with its own socket and data, for as long as it is used."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from tools import go_programs
from tools.build_cache import LIMIT, NotBuiltError, cache
from tools.stack.debian import PATH, program
from tools.stack.isolation import CGROUP, RUN

DATA: Final = cache() / "containers"
"""Images, containers and volumes. The images are kept between runs."""
_CLIENT: Final = "/usr/bin/docker"  # Debian's: others on the PATH may have no plugins
_KEPT: Final = ("HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_WITHIN: Final = 120.0


class Engine:
    """A client of the engine."""

    def __init__(self) -> None:
        # Nothing else of this machine's variables: Compose would prefer them to those of `.env`.
        self.variables: Final = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "DOCKER_HOST": f"unix://{RUN}/docker.sock",
            "DOCKER_CONFIG": f"{RUN}/client",
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_PROGRESS": "plain",
            "PATH": PATH,
        }

    def docker(self, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        """What the command writes to its output.

        Raises:
            NotBuiltError: it failed; the message has the last lines of what it said.
        """
        done = self.tried(*arguments, stdin=stdin)
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".splitlines()[-20:]
            raise NotBuiltError("\n".join([f"docker {' '.join(arguments)} failed:", *said]))
        return done.stdout

    def tried(self, *arguments: str, stdin: IO[bytes] | None = None) -> subprocess.CompletedProcess[str]:
        """The command with its exit code, and what it wrote."""
        return subprocess.run(  # noqa: S603  # no shell reads it
            [_CLIENT, *arguments],
            cwd="/",
            env=self.variables,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )

    def remove_all(self) -> None:
        """Containers, networks, volumes and unnamed images; what has a name of an image stays."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        for kind in ("network", "volume", "image"):
            self.docker(kind, "prune", "--force")


@contextmanager
def started() -> Iterator[Engine]:
    """The engine, which ends with everything that runs in it. Only for a process that `isolation.run` has started.

    Raises:
        NotBuiltError: it did not start, or another process uses its data.
    """
    DATA.mkdir(parents=True, exist_ok=True)
    with (DATA / "lock").open("w") as lock:
        _lock(lock.fileno())
        with _daemon() as daemon:
            engine = Engine()
            _wait_for(engine, daemon)
            try:
                # Of a run that was killed.
                engine.remove_all()
                yield engine
            finally:
                engine.remove_all()


def _lock(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise NotBuiltError(f"{DATA} is in use by another run.") from error


@contextmanager
def _daemon() -> Iterator[subprocess.Popen[bytes]]:
    (RUN / "client/cli-plugins").mkdir(parents=True)
    (RUN / "client/cli-plugins/docker-compose").symlink_to(go_programs.compose())
    (RUN / "daemon.json").write_text(json.dumps(_configuration()), "utf-8")
    with (
        (DATA / "dockerd.log").open("wb") as log,
        subprocess.Popen(  # noqa: S603  # no shell reads it
            [program("dockerd"), f"--config-file={RUN}/daemon.json"],
            env={**os.environ, "PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is not for it
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _configuration() -> dict[str, object]:
    """Networks have no way out of the machine; published ports are passed on by a process."""
    return {
        "data-root": str(DATA / "data"),
        "exec-root": str(RUN / "engine"),
        "pidfile": str(RUN / "dockerd.pid"),
        "hosts": [f"unix://{RUN}/docker.sock"],
        "storage-driver": "overlay2",
        "cgroup-parent": f"/{CGROUP}",
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "ip-masq": False,
        "shutdown-timeout": 60,
    }


def _wait_for(engine: Engine, daemon: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _WITHIN
    while engine.tried("version").returncode:
        if daemon.poll() is not None or time.monotonic() > end:
            last = (DATA / "dockerd.log").read_text("utf-8", "replace").splitlines()[-5:]
            raise NotBuiltError("The container engine did not start:\n" + "\n".join(last))
        time.sleep(0.2)
