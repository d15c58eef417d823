"""The doctor: proves, one line a check, that what the service relies on really works."""

import os
import socket
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from service.bootstrap import Service
from service.cli.configuration import unconfigured
from service.clients import Clients
from service.database import migrations
from service.database.backup import BackupFailed, check_backup
from service.database.clock import utcnow
from service.integrations.http.client import ApiCall
from service.integrations.http.errors import CallError
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.openai.errors import failure_of
from service.integrations.ozon.credentials import check_key
from service.integrations.telegram import describe_bot
from service.names import OPENAI, OZON, WB
from service.settings import Settings
from telemetry import exporters, private_files
from telemetry.error_text import safe_text
from telemetry.selftest import SelfTest, Silent


class CheckFailed(Exception):  # it is what a doctor says
    """What is wrong, and what to do about it, in a sentence."""


OK: Final = "ok"
FAIL: Final = "FAIL"
SKIPPED: Final = "-"


@dataclass(frozen=True, slots=True)
class Finding:
    mark: str
    name: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.name:<20} {self.sentence}"


_NEEDS: Final = {
    "telemetry: job": "migrations",
    "alerts": "directory DATA_DIR",
    "backups": "database",
    **dict.fromkeys(("Wildberries", "Ozon", "Telegram"), "migrations"),  # the pace of calls is in the database
}
Check = Callable[[], str]


def examine(runtime: Service) -> Generator[Finding]:
    failed: set[str] = set()
    for name, check in _checks(runtime).items():
        if _NEEDS.get(name) in failed:
            yield Finding(SKIPPED, name, f"not tried without {_NEEDS[name]}")
            continue
        finding = _examined(name, check)
        if finding.mark == FAIL:
            failed.add(name)
        yield finding
    yield from _not_configured(runtime.settings)


def _not_configured(settings: Settings) -> Generator[Finding]:
    for sentence in unconfigured(settings):
        name, _, why = sentence.partition(": ")
        if name != "OTLP":  # it has a check of its own
            yield Finding(SKIPPED, name, why)


def _checks(runtime: Service) -> Mapping[str, Check]:
    settings, engine = runtime.settings, runtime.engine
    return {
        "variables": lambda: _variables(settings),
        "directory DATA_DIR": lambda: _writable(settings.data_dir),
        "directory LOG_DIR": lambda: _writable(settings.log_dir),
        "privacy": lambda: _privacy(settings),
        "OTLP": _otlp,
        "database": lambda: _database(runtime),
        "migrations": lambda: _migrations(runtime),
        "backups": lambda: check_backup(engine),
        "alerts": lambda: _alerts(runtime),
        **_outside(runtime),
        **{f"telemetry: {name}": check for name, check in SelfTest(runtime.telemetry, engine).checks().items()},
    }


def _outside(runtime: Service) -> dict[str, Check]:
    """Whether each configured service accepts its credentials. Of Telegram a token is enough to check that."""
    settings, outside = runtime.settings, runtime.interactive_clients
    left_out = settings.unconfigured()
    return {
        **({"Wildberries": lambda: _wildberries(outside)} if WB not in left_out else {}),
        **({"Ozon": lambda: _ozon(outside)} if OZON not in left_out else {}),
        **({"OpenAI": lambda: _openai(outside, settings)} if OPENAI not in left_out else {}),
        **({"Telegram": lambda: _telegram(outside, settings)} if settings.telegram_token else {}),
    }


def _wildberries(outside: Clients) -> str:
    token = outside.wb_token
    if complaint := token.complaint(utcnow()):
        raise CheckFailed(complaint)
    for client, host in ((outside.wb_feedbacks, "feedbacks"), (outside.wb_statistics, "statistics")):
        client.call(ApiCall("GET", "/ping", RateLimit(f"wb:ping:{host}:{token.account}", 10.0, 3)))
    return f"accepts WB_API_TOKEN, {token}"


def _ozon(outside: Clients) -> str:
    return check_key(outside.ozon, utcnow())


def _openai(outside: Clients, settings: Settings) -> str:
    from openai import OpenAIError  # noqa: PLC0415  # slow to load, and needed here alone

    try:
        model = outside.openai_client.models.retrieve(str(settings.openai_model))
    except OpenAIError as error:
        raise CheckFailed(str(failure_of(error).error)) from None
    return f"accepts OPENAI_API_KEY, and has {model.id}"


def _telegram(outside: Clients, settings: Settings) -> str:
    token = settings.telegram_token
    return describe_bot(outside.telegram, token.get_secret_value() if token else "", settings.manager_chat_id)


def _variables(settings: Settings) -> str:
    if settings.exposure_warning and not settings.on_loopback:
        raise CheckFailed("ENVIRONMENT is production and HOST is no loopback address, but OPS_TOKEN is not set.")
    return "each may be what it is"


def _privacy(settings: Settings) -> str:
    """What was made by an earlier version, or by somebody else, may be open; what is made from now on is not."""
    found = [str(path) for path in private_files.accessible_to_others({settings.data_dir, settings.log_dir})]
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")  # noqa: PLR2004  # a line
        raise CheckFailed(
            f"others on this machine may read {shown}: chmod -R go= {settings.data_dir} {settings.log_dir}"
        )
    return "nobody else on this machine reads DATA_DIR and LOG_DIR"


def _otlp() -> str:
    """Whether somebody listens where the signals are to go."""
    endpoints = {
        exporters.endpoint(signal) for signal in exporters.SIGNALS if "otlp" in exporters.exporters(signal)
    } - {""}
    for endpoint in endpoints:
        parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        with socket.create_connection((parts.hostname or "localhost", parts.port or 4318), timeout=2):
            pass
    return f"{', '.join(sorted(endpoints))} listens" if endpoints else "not asked for"


def _database(runtime: Service) -> str:
    migrations.ping(runtime.engine)
    return runtime.settings.url.render_as_string(hide_password=True)


def _migrations(runtime: Service) -> str:
    migrations.at_head(runtime.engine)
    return "at the newest"


def _alerts(runtime: Service) -> str:
    found = runtime.telemetry.alerts.check()
    if found.error:
        raise CheckFailed(f"{found.error[:1].upper()}{found.error[1:]}.")
    return "nothing keeps them from being sent" if runtime.telemetry.alerts.channels else "kept and shown, not sent"


def _writable(directory: Path) -> str:
    probe = directory / f".doctor-{uuid4().hex}"
    try:
        private_files.make_directory(directory)
        probe.write_bytes(os.urandom(16))
        probe.unlink()
    except OSError as error:
        raise CheckFailed(f"{directory} cannot be written: {error.strerror}.") from None
    return f"{directory} can be written"


def _examined(name: str, check: Check) -> Finding:
    try:
        return Finding(OK, name, check())
    except (CheckFailed, Silent, CallError, BackupFailed) as error:
        return Finding(FAIL, name, str(error))
    except Exception as error:  # noqa: BLE001  # whatever is wrong is what the doctor is for
        return Finding(FAIL, name, safe_text(error))
