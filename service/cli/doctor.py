"""The command `doctor`: checks configuration, database, directories, instrumentation and credentials, one line per check."""

import argparse
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Final

from service.bootstrap import SandboxUnavailable, Service
from service.cli.exit_codes import FAILURE, SUCCESS
from service.cli.local_checks import (
    DiagnosticFailed,
    check_configuration,
    check_otlp,
    check_permissions,
    check_writable,
)
from service.cli.output import complain, say
from service.cli.review_access import NotAvailable, describe_review_access
from service.clients import Clients
from service.console.unconfigured import OTLP, unconfigured
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
from telemetry.error_text import safe_text
from telemetry.health import DatabaseCheck
from telemetry.isolated_selftest import IsolatedSelfTest
from telemetry.selftest import NothingEmitted

OK: Final = "ok"
FAIL: Final = "FAIL"
SKIPPED: Final = "-"


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
    "run markers": "directory DATA_DIR",
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
    say("A check failed: see FAIL above." if FAIL in marks else "No check failed.")
    return FAILURE if FAIL in marks else SUCCESS


def run_checks(runtime: Service) -> Generator[Finding]:
    """Run the checks one after the other. A check is skipped if one that it needs has failed."""
    failed: set[str] = set()
    for name, check in _checks(runtime).items():
        if _NEEDS.get(name) in failed:
            yield Finding(SKIPPED, name, f"skipped: needs {_NEEDS[name]}")
            continue
        finding = _run_check(name, check)
        if finding.mark == FAIL:
            failed.add(name)
        yield finding
    yield from _unconfigured_services(runtime.settings)


def _unconfigured_services(settings: Settings) -> Generator[Finding]:
    for name, how in unconfigured(settings).items():
        if name != OTLP:  # it has its own check
            yield Finding(SKIPPED, name, f"not configured: {how}")


def _checks(runtime: Service) -> Mapping[str, Check]:
    settings, engine = runtime.settings, runtime.engine
    selftest = IsolatedSelfTest(settings).checks()
    return {
        "configuration": lambda: check_configuration(settings),
        "directory DATA_DIR": lambda: check_writable(settings.data_dir),
        "directory LOG_DIR": lambda: check_writable(settings.log_dir),
        "permissions": lambda: check_permissions(settings),
        "OTLP": check_otlp,
        "database": lambda: _database(runtime),
        "migrations": lambda: _migrations(runtime),
        "backups": lambda: check_backup(engine),
        "job runs": lambda: _job_runs(runtime),
        "run markers": lambda: _run_markers(runtime),
        "alerts": lambda: _alerts(runtime),
        **{f"channel {name}": check for name, check in runtime.telemetry.alerts.channel_checks().items()},
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
    return f"WB_API_TOKEN is valid: {token}"


def _ozon(clients: Clients) -> str:
    return describe_key(clients.ozon, utcnow())


def _openai(clients: Clients, settings: Settings) -> str:
    from openai import OpenAIError  # noqa: PLC0415  # slow to load, and needed only here

    try:
        model = clients.openai_client.models.retrieve(str(settings.openai_model))
    except OpenAIError as error:
        raise DiagnosticFailed(str(classify_error(error).error)) from None
    return f"OPENAI_API_KEY is valid, and the model {model.id} exists"


def _telegram(clients: Clients, settings: Settings) -> str:
    token = settings.telegram_token
    return describe_bot(clients.telegram, token.get_secret_value() if token else "", settings.manager_chat_id)


def _database(runtime: Service) -> str:
    url = runtime.settings.url.render_as_string(hide_password=True)
    try:
        DatabaseCheck(runtime.engine)()
    except Exception as error:  # noqa: BLE001  # whatever the driver raises
        raise DiagnosticFailed(
            f"{url} cannot be used ({safe_text(error)}): check DATABASE_URL and the server."
        ) from None
    return f"{url} can be read and written"


def _migrations(runtime: Service) -> str:
    migrations.at_head(runtime.engine)
    return "at the newest revision"


def _job_runs(runtime: Service) -> str:
    if sentences := runtime.telemetry.jobs.foreign_databases():
        raise DiagnosticFailed(" ".join(sentences))
    return "DATA_DIR has no job runs of another database"


def _run_markers(runtime: Service) -> str:
    if failure := runtime.telemetry.alerts.unclean_stops.marker_failure():
        raise DiagnosticFailed(f"a kill of the service cannot be reported at its next start: {failure}")
    return "a kill of the service is reported at its next start"


def _job(runtime: Service, selftest: Check) -> str:
    """Check that `job_runs` takes a run, in a transaction that is rolled back, and that a job makes one."""
    runtime.telemetry.jobs.store.check_write()
    return selftest()


def _alerts(runtime: Service) -> str:
    result = runtime.telemetry.alerts.check()
    if result.error:
        raise DiagnosticFailed(f"{result.error[:1].upper()}{result.error[1:]}.")
    if names := runtime.telemetry.alerts.channel_names:
        return f"delivery enabled ({', '.join(names)})"
    return "stored, not sent: set TELEGRAM_TOKEN and MANAGER_CHAT_ID, ALERT_WEBHOOK_URL, or ALERT_CHANNELS"


def _run_check(name: str, check: Check) -> Finding:
    try:
        return Finding(OK, name, check())
    except NotAvailable as error:
        return Finding(SKIPPED, name, str(error))
    except (DiagnosticFailed, NothingEmitted, CallError, BackupFailed) as error:
        return Finding(FAIL, name, str(error))
    except Exception as error:  # noqa: BLE001  # a check may fail in any way
        return Finding(FAIL, name, safe_text(error))
