"""The pictures of the documentation, from a sandbox in a real browser: `python -m tools.screenshots [--minutes 5]`.

It starts the service with two workers on free ports, lets it work for some minutes with a few requests a second, sends a test
alert, breaks a job until that is an alert, repairs it, and writes `docs/images/*.png`, each under 150 kB. It needs Chromium, and Playwright's Python package. The documentation's
front page is taken from `docs/_build`, if `make docs` has built it.
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
from typing import Final

import httpx
from playwright.sync_api import Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parents[1]
IMAGES: Final = ROOT / "docs" / "images"
_SITE: Final = ROOT / "docs" / "_build" / "index.html"
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the service works before (default: 5)")
    minutes = parser.parse_args().minutes
    if (chromium := shutil.which("chromium")) is None:
        sys.stderr.write("Chromium is not on the PATH. On Debian: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory() as home, _service(Path(home)) as (service, phone), _requests(service):
        sys.stderr.write(f"The service works at {service} for {minutes:g} minutes.\n")
        time.sleep(minutes * 60)
        urls = {name: service + path for name, path in _PAGES.items()} | {"phone": phone}
        if _SITE.exists():
            urls["docs"] = _SITE.as_uri()
        too_large = _take(chromium, urls)
    for name in too_large:
        sys.stderr.write(f"{name}.png is larger than {MAX_BYTES // 1000} kB.\n")
    return 1 if too_large else 0


@contextmanager
def _service(home: Path) -> Iterator[tuple[str, str]]:
    """The URLs of the service, and of the simulated phone."""
    port, sandbox_port = _free_port(), _free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    variables = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "SANDBOX": "true",
        "SANDBOX_PORT": str(sandbox_port),
        "PORT": str(port),
        "DATA_DIR": str(home),
        "LOG_DIR": str(home / "log"),
        "DATABASE_URL": f"sqlite:///{home}/sovani.db",
    }
    command = (*_SERVICE, "serve", "--workers", "2")
    with (home / "out").open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  # our own program
            command, cwd=home, env=variables, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz")
        _run(home, variables, "test-alert")
        _break_and_repair(home, variables)
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}/phone"
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _run(home: Path, variables: dict[str, str], *command: str) -> None:
    """Run a command of the service. A failure is in the pictures."""
    subprocess.run((*_SERVICE, *command), cwd=home, env=variables, check=False)  # noqa: S603  # our own program


def _break_and_repair(home: Path, variables: dict[str, str]) -> None:
    """A file in the place of the directory for backups makes the job fail, so the phone shows an alert and its end."""
    directory, kept = home / "backups", home / "backups.kept"
    if directory.exists():
        directory.rename(kept)
    directory.touch()
    for _ in range(_FAILURES):
        _run(home, variables, "run-job", _JOB)
    time.sleep(15)  # for a look of the rule, which is every ten seconds
    directory.unlink()
    if kept.exists():
        kept.rename(directory)
    _run(home, variables, "run-job", _JOB)


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
