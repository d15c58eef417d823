"""The command `doctor`: checks configuration, database, directories, instrumentation and credentials, one line per check."""

import argparse
import os
import socket
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from service.bootstrap import SandboxUnavailable, Service
from service.cli.output import complain, say
from service.cli.review_access import NotAvailable, describe_review_access
from service.clients import Clients
from service.console.unconfigured import unconfigured
from service.database import migrations
from service.database.backup import BackupFailed, check_backup
from service.database.clock import utcnow
from service.integrations.http.client import ApiCall
from service.integrations.http.errors import CallError
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.openai.errors import classify_error
from service.integrations.ozon.credentials import describe_key
from service.integrations.telegram import describe_bot
from service.names import OPENAI, OZON, WB
from service.settings import Settings
from telemetry import exporters, private_files
from telemetry.error_text import safe_text
from telemetry.health import DatabaseCheck
from telemetry.isolated_selftest import IsolatedSelfTest
from telemetry.selftest import NothingEmitted

OK: Final = "ok"
FAIL: Final = "FAIL"
SKIPPED: Final = "-"


class DiagnosticFailed(Exception):  # the message is a sentence for the operator
    """A check failed. The message says what is wrong and what to do; it may name paths, as it is not for the public."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `mark` is `OK`, `FAIL` or `SKIPPED`."""

    mark: str
    name: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.name:<20} {self.sentence}"


_NEEDS: Final = {
    "telemetry: job": "migrations",
    "alerts": "directory DATA_DIR",
    "job runs": "directory DATA_DIR",
    "backups": "database",
    **dict.fromkeys(
        ("Wildberries", "Ozon", "Ozon reviews", "Telegram"), "migrations"
    ),  # the rate limiter's state is in the database
}
"""The check that has to succeed before another one makes sense."""
Check = Callable[[], str]


def doctor(_options: argparse.Namespace) -> int:
    """Run all checks and print a line for each; 1 if any fails."""
    runtime = Service(Settings.read())
    marks: set[str] = set()
    try:
        with runtime.running_sandbox():
            for finding in run_checks(runtime):
                marks.add(finding.mark)
                say(str(finding))
    except SandboxUnavailable as error:
        return complain(str(error))
    finally:
        runtime.close(1.0)
    return 1 if FAIL in marks else 0


def run_checks(runtime: Service) -> Generator[Finding]:
    """Run the checks one after the other. A check is skipped if one that it needs has failed."""
    failed: set[str] = set()
    for name, check in _checks(runtime).items():
        if _NEEDS.get(name) in failed:
            yield Finding(SKIPPED, name, f"not tried without {_NEEDS[name]}")
            continue
        finding = _run_check(name, check)
        if finding.mark == FAIL:
            failed.add(name)
        yield finding
    yield from _unconfigured_services(runtime.settings)


def _unconfigured_services(settings: Settings) -> Generator[Finding]:
    for sentence in unconfigured(settings):
        name, _, reason = sentence.partition(": ")
        if name != "OTLP":  # it has its own check
            yield Finding(SKIPPED, name, reason)


def _checks(runtime: Service) -> Mapping[str, Check]:
    settings, engine = runtime.settings, runtime.engine
    selftest = IsolatedSelfTest(settings).checks()
    return {
        "variables": lambda: _variables(settings),
        "directory DATA_DIR": lambda: _writable(settings.data_dir),
        "directory LOG_DIR": lambda: _writable(settings.log_dir),
        "privacy": lambda: _privacy(settings),
        "OTLP": _otlp,
        "database": lambda: _database(runtime),
        "migrations": lambda: _migrations(runtime),
        "backups": lambda: check_backup(engine),
        "job runs": lambda: _job_runs(runtime),
        "alerts": lambda: _alerts(runtime),
        **_credential_checks(runtime),
        **{f"telemetry: {name}": check for name, check in selftest.items()},
        "telemetry: job": lambda: _job(runtime, selftest["job"]),
    }


def _credential_checks(runtime: Service) -> dict[str, Check]:
    """For each configured external service, whether it accepts the credentials. For Telegram, the token is enough."""
    settings, clients = runtime.settings, runtime.interactive_clients
    left_out = settings.unconfigured()
    return {
        **({"Wildberries": lambda: _wildberries(clients)} if WB not in left_out else {}),
        **({"Ozon": lambda: _ozon(clients)} if OZON not in left_out else {}),
        **(
            {"Ozon reviews": lambda: describe_review_access(clients.ozon, runtime.engine)}
            if OZON not in left_out
            else {}
        ),
        **({"OpenAI": lambda: _openai(clients, settings)} if OPENAI not in left_out else {}),
        **({"Telegram": lambda: _telegram(clients, settings)} if settings.telegram_token else {}),
    }


def _wildberries(clients: Clients) -> str:
    token = clients.wb_token
    if complaint := token.warning(utcnow()):
        raise DiagnosticFailed(complaint)
    for client, host in ((clients.wb_feedbacks, "feedbacks"), (clients.wb_statistics, "statistics")):
        client.call(ApiCall("GET", "/ping", RateLimit(f"wb:ping:{host}:{token.account}", 10.0, 3)))
    return f"accepts WB_API_TOKEN, {token}"


def _ozon(clients: Clients) -> str:
    return describe_key(clients.ozon, utcnow())


def _openai(clients: Clients, settings: Settings) -> str:
    from openai import OpenAIError  # noqa: PLC0415  # slow to load, and needed only here

    try:
        model = clients.openai_client.models.retrieve(str(settings.openai_model))
    except OpenAIError as error:
        raise DiagnosticFailed(str(classify_error(error).error)) from None
    return f"accepts OPENAI_API_KEY, and has {model.id}"


def _telegram(clients: Clients, settings: Settings) -> str:
    token = settings.telegram_token
    return describe_bot(clients.telegram, token.get_secret_value() if token else "", settings.manager_chat_id)


def _variables(settings: Settings) -> str:
    if settings.exposure_warning and not settings.on_loopback:
        raise DiagnosticFailed("ENVIRONMENT is production and HOST is no loopback address, but OPS_TOKEN is not set.")
    return "each may be what it is"


def _privacy(settings: Settings) -> str:
    """Check the permissions of existing files. New files are private; those of earlier versions may not be."""
    found = [str(path) for path in private_files.accessible_to_others({settings.data_dir, settings.log_dir})]
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")  # noqa: PLR2004  # fits a line
        raise DiagnosticFailed(
            f"others on this machine may read {shown}: chmod -R go= {settings.data_dir} {settings.log_dir}"
        )
    return "nobody else on this machine reads DATA_DIR and LOG_DIR"


def _otlp() -> str:
    """Check that the OTLP endpoints accept connections."""
    endpoints = {
        exporters.endpoint(signal) for signal in exporters.SIGNALS if "otlp" in exporters.exporter_names(signal)
    } - {""}
    for endpoint in endpoints:
        parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        with socket.create_connection((parts.hostname or "localhost", parts.port or 4318), timeout=2):
            pass
    return f"{', '.join(sorted(endpoints))} listens" if endpoints else "not asked for"


def _database(runtime: Service) -> str:
    DatabaseCheck(runtime.engine)()
    return runtime.settings.url.render_as_string(hide_password=True)


def _migrations(runtime: Service) -> str:
    migrations.at_head(runtime.engine)
    return "at the newest"


def _job_runs(runtime: Service) -> str:
    if sentences := runtime.telemetry.jobs.foreign_databases():
        raise DiagnosticFailed(" ".join(sentences))
    return "no job run in DATA_DIR waits for another database"


def _job(runtime: Service, selftest: Check) -> str:
    """Check that `job_runs` takes a run, in a transaction that is rolled back, and that a job makes one."""
    runtime.telemetry.jobs.store.check_write()
    return selftest()


def _alerts(runtime: Service) -> str:
    result = runtime.telemetry.alerts.check()
    if result.error:
        raise DiagnosticFailed(f"{result.error[:1].upper()}{result.error[1:]}.")
    return "nothing keeps them from being sent" if runtime.telemetry.alerts.channels else "kept and shown, not sent"


def _writable(directory: Path) -> str:
    probe = directory / f".doctor-{uuid4().hex}"
    try:
        private_files.make_directory(directory)
        with probe.open("xb") as file:
            probe.unlink()  # before it is written: nothing is left behind
            file.write(os.urandom(16))
    except OSError as error:
        raise DiagnosticFailed(f"{directory} cannot be written: {error.strerror}.") from None
    return f"{directory} can be written"


def _run_check(name: str, check: Check) -> Finding:
    try:
        return Finding(OK, name, check())
    except NotAvailable as error:
        return Finding(SKIPPED, name, str(error))
    except (DiagnosticFailed, NothingEmitted, CallError, BackupFailed) as error:
        return Finding(FAIL, name, str(error))
    except Exception as error:  # noqa: BLE001  # a check may fail in any way
        return Finding(FAIL, name, safe_text(error))
