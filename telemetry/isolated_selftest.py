"""Runs the self-test in a process of its own, so that nothing of it is left behind, whatever fails and whoever is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from telemetry import setup
from telemetry.database import create_engine
from telemetry.error_text import safe_text
from telemetry.jobs.store.tables import create_tables
from telemetry.redaction.policy import redact
from telemetry.sdk.exporters import SIGNALS
from telemetry.selftest import NothingEmitted, SelfTest
from telemetry.settings import TelemetrySettings

_CHECKS: Final = ("request", "query", "call", "job", "log")
_TIMEOUT: Final = 60
_ROOT: Final = Path(__file__).parent.parent


class IsolatedSelfTest:
    """The checks of `SelfTest`. All of them run when the first result is asked for.

    Their process has the OpenTelemetry variables of this one, but no exporter, no channel for alerts, and a temporary directory
    for its files and its `job_runs`. Of the settings' database it only reads.
    """

    def __init__(self, settings: TelemetrySettings, timeout: float = _TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self._unfinished = ""

    def checks(self) -> Mapping[str, Callable[[], str]]:
        """The checks by name: each returns what it found, or raises `NothingEmitted`."""
        return {name: partial(self._finding, name) for name in _CHECKS}

    def _finding(self, name: str) -> str:
        finding, is_ok = self._findings.get(name, (self._unfinished, False))
        if not is_ok:
            raise NothingEmitted(finding)
        return finding

    @cached_property
    def _findings(self) -> dict[str, tuple[str, bool]]:
        with tempfile.TemporaryDirectory(prefix="telemetry-selftest-", ignore_cleanup_errors=True) as home:
            try:
                return self._run(Path(home))
            except subprocess.TimeoutExpired:
                self._unfinished = f"The self-test did not end within {self._timeout:g} seconds."
                return {}

    def _run(self, home: Path) -> dict[str, tuple[str, bool]]:
        process = subprocess.run(  # noqa: S603  # our own module
            [sys.executable, "-m", __name__],
            input=_absolute_url(self._settings),
            env=_private_environment(self._settings, home),
            cwd=home,  # where there is no `.env`
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=self._timeout,
            check=False,
        )
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        self._unfinished = f"The self-test ended early, with exit status {process.returncode}: {redact(last)}"
        return dict(_parsed(process.stdout))


def _absolute_url(settings: TelemetrySettings) -> str:
    """The database's URL, for a process with another working directory."""
    url = settings.url
    if url.drivername == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


def _private_environment(settings: TelemetrySettings, home: Path) -> dict[str, str]:
    """This process's environment without the settings and their secrets; files in `home`, and no exporter."""
    settable = {name.upper() for name in type(settings).model_fields}
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in settable}
    return inherited | {
        "DATA_DIR": str(home),
        "LOG_DIR": str(home),
        "DATABASE_URL": f"sqlite:///{home}/selftest.db",
        "TELEMETRY_LOGS": "false",
        "OTEL_TRACES_SAMPLER": settings.otel_traces_sampler,
        "OTEL_TRACES_SAMPLER_ARG": str(settings.otel_traces_sampler_arg),
        **{f"OTEL_{each}_EXPORTER": "none" for each in SIGNALS},
        "PYTHONPATH": os.pathsep.join(str(Path(each).absolute()) for each in [str(_ROOT), *sys.path]),
    }


def _parsed(output: str) -> Generator[tuple[str, tuple[str, bool]]]:
    for line in output.splitlines():
        with suppress(ValueError, TypeError):  # a library printed it
            name, finding, is_ok = json.loads(line)
            yield name, (finding, is_ok)


def _tried(check: Callable[[], str]) -> tuple[str, bool]:
    try:
        return check(), True
    except NothingEmitted as error:
        return str(error), False
    except Exception as error:  # noqa: BLE001  # a check may fail in any way
        return safe_text(error), False


def _main() -> None:
    """Run the checks in the environment of `_private_environment`; print the name, the finding and the success of each.

    When the process that waits for them is killed, this one ends by itself as well, and removes the directory.
    """
    signal.alarm(_TIMEOUT)
    settings = TelemetrySettings()
    try:
        _run_checks(settings, sys.stdin.read())
    finally:
        shutil.rmtree(settings.data_dir, ignore_errors=True)


def _run_checks(settings: TelemetrySettings, url: str) -> None:
    observed, own = create_engine(url), create_engine(settings.url)
    create_tables(own)
    telemetry = setup.start(engine=own, settings=settings)
    try:
        for name, check in SelfTest(telemetry, observed).checks().items():
            print(json.dumps([name, *_tried(check)]), flush=True)  # noqa: T201  # for the process that waits
    finally:
        setup.shutdown(1.0)
        observed.dispose()
        own.dispose()


if __name__ == "__main__":
    _main()
