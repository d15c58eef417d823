"""The pictures of the documentation, from a sandbox in a real browser: `python -m tools.screenshots [--minutes 5]`.

It starts the service with two workers on free ports, lets it work for some minutes with a few requests a second, and takes the
pages. Then it breaks a job until that is an alert, repairs it, and takes the phone. It writes `docs/images/*.png`, each under
150 kB. It needs Chromium, a font with emoji, and Playwright's Python package.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from playwright.sync_api import Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parents[1]
IMAGES: Final = ROOT / "docs" / "images"
MAX_BYTES: Final = 150_000
_PATHS: Final = ("/api/v1/reviews", "/api/v1/orders", "/jobs", "/api/v1/reviews/0", "/healthz")
_PAGES: Final = {
    "console-overview": "/console?window=15m",
    "console-jobs": "/console/jobs?window=15m",
    "api": "/docs",
}
_READY: Final = {"api": ".opblock"}
"""An element without which a page is not complete."""
_TRIES: Final = 5
_SERVICE: Final = (sys.executable, "-m", "service")
_JOB: Final = "backup_database"
_FAILURES: Final = 3
_LOOK: Final = 15
"""Seconds: the rule that makes alerts of failures looks every ten."""
_DATA: Final = "var"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the service works before (default: 5)")
    minutes = parser.parse_args().minutes
    if (chromium := shutil.which("chromium")) is None:
        sys.stderr.write("Chromium is not on the PATH. On Debian: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory() as home, _service(Path(home)) as service:
        with _requests(service.url):
            sys.stderr.write(f"The service works at {service.url} for {minutes:g} minutes.\n")
            time.sleep(minutes * 60)
            too_large = _take(chromium, {name: service.url + path for name, path in _PAGES.items()})
        _break_and_repair(service)
        too_large += _take(chromium, {"phone": service.phone})
    for name in too_large:
        sys.stderr.write(f"{name}.png is larger than {MAX_BYTES // 1000} kB.\n")
    return 1 if too_large else 0


class _Service(NamedTuple):
    """A service that runs, and how to run its commands."""

    url: str
    phone: str
    home: Path
    variables: dict[str, str]

    def run(self, *command: str) -> None:
        """Run a command of the service. A failure is in the pictures."""
        subprocess.run((*_SERVICE, *command), cwd=self.home, env=self.variables, check=False)  # noqa: S603  # ours


@contextmanager
def _service(home: Path) -> Iterator[_Service]:
    port, sandbox_port = _free_port(), _free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    variables = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "SANDBOX": "true",
        "SANDBOX_PORT": str(sandbox_port),
        "PORT": str(port),
        "DATA_DIR": _DATA,
        "LOG_DIR": f"{_DATA}/log",
        "DATABASE_URL": f"sqlite:///{_DATA}/sovani.db",
    }
    command = (*_SERVICE, "serve", "--workers", "2")
    with (home / "out").open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  # our own program
            command, cwd=home, env=variables, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz")
        yield _Service(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}/phone", home, variables)
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _break_and_repair(service: _Service) -> None:
    """A file in the place of the directory for backups makes the job fail, so the phone shows an alert and its end."""
    directory, kept = service.home / _DATA / "backups", service.home / _DATA / "backups.kept"
    if directory.exists():
        directory.rename(kept)
    directory.touch()
    for _ in range(_FAILURES):
        service.run("run-job", _JOB)
    time.sleep(_LOOK)
    directory.unlink()
    if kept.exists():
        kept.rename(directory)
    service.run("run-job", _JOB)
    time.sleep(_LOOK)


@contextmanager
def _requests(service: str) -> Iterator[None]:
    """A few requests a second, of which some fail, so that there is something to see."""
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=service, trust_env=False) as client:
            number = 0
            while not ended.wait(0.15):
                number += 1
                with suppress(httpx.HTTPError):
                    client.get(_PATHS[number % len(_PATHS)])

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


def _take(chromium: str, urls: dict[str, str]) -> list[str]:
    """Take a picture of each page. Returns the names of those that are too large."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.set_default_timeout(120_000)
        for name, url in urls.items():
            _open(page, url)
            page.wait_for_selector(_READY.get(name, "body"))
            page.wait_for_timeout(1500)
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()
    return [name for name in urls if (IMAGES / f"{name}.png").stat().st_size > MAX_BYTES]


def _open(page: Page, url: str) -> None:
    """Open a page. A busy machine may need another try."""
    for _ in range(_TRIES):
        response = page.goto(url)
        if response is None or response.ok:
            return
    raise SystemExit(f"{url} cannot be shown.")


def _wait_for(url: str, within: float = 300.0) -> None:
    end = time.monotonic() + within
    while time.monotonic() < end:
        with suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {within:g} seconds.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
