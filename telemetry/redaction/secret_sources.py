"""Sources: which secrets this process has, from its settings and from its environment."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_NAMED: Final = re.compile(r"(?i).*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS)")
_HEADERS: Final = re.compile(r"OTEL_EXPORTER_OTLP_(?:[A-Z]+_)?HEADERS")
_URLS: Final = re.compile(r"(?i)(?:.*_)?(?:URL|URI|DSN|PROXY|ENDPOINT)")
Pairs = Iterator[tuple[str, str]]


def secrets_of(settings: BaseSettings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Names and values: of each secret in the settings, of passwords in URLs, and of variables whose name says so."""
    found: dict[str, str] = {}
    for name, value in (*_of_environment(environment), *_of_settings(settings)):
        found.setdefault(f"{name}" if name not in found or found[name] == value else f"{name} ({len(found)})", value)
    return found


def _of_settings(settings: BaseSettings) -> Pairs:
    for field in type(settings).model_fields:
        value, name = getattr(settings, field), field.upper()
        if isinstance(value, SecretStr):
            yield from _of_secret(name, value.get_secret_value())
        elif isinstance(value, str) and _URLS.fullmatch(name):
            yield from _of_url(name, value)


def _of_secret(name: str, value: str) -> Pairs:
    yield name, value
    if value.startswith(("http://", "https://")):  # who knows the path of a webhook may use it
        parts = urlsplit(value)
        yield f"{name}'s path", parts.path + (f"?{parts.query}" if parts.query else "")
        yield from _of_url(name, value)


def _of_environment(environment: Mapping[str, str]) -> Pairs:
    for name, value in environment.items():
        if _HEADERS.fullmatch(name):
            yield from _of_headers(name, value)
        elif _NAMED.fullmatch(name):
            yield name, value
        elif _URLS.fullmatch(name) and "@" in value:
            yield from _of_url(name, value)


def _of_headers(name: str, value: str) -> Pairs:
    """`key=value,…`, the values URL-encoded; of `Basic …` and `Bearer …` what follows."""
    for pair in value.split(","):
        header, _, given = pair.partition("=")
        whole = unquote(given.strip())
        yield f"{name} {header.strip()}", whole.rpartition(" ")[2]


def _of_url(name: str, value: str) -> Pairs:
    """Its password, unless that is a word which the URL says anyhow."""
    try:
        url = make_url(value)
        password, plain = url.password, {url.username, url.database, url.host, url.drivername, url.get_backend_name()}
    except (ArgumentError, ValueError):
        return
    if password and str(password) not in plain:
        yield f"password of {name}", str(password)
