"""Collects the secrets of this process from its settings and its environment."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from telemetry.redaction.named_values import is_secret_name

_SECRET_NAMES: Final = re.compile(
    r"(?i).*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS)"
)
_HEADER_NAMES: Final = re.compile(r"OTEL_EXPORTER_OTLP_(?:[A-Z]+_)?HEADERS")
_URL_NAMES: Final = re.compile(r"(?i)(?:.*_)?(?:URL|URI|DSN|PROXY|ENDPOINT)")
_NUMBER_NAMES: Final = re.compile(
    r"OTEL_\w*(?:TIMEOUT|SIZE|DELAY|LIMIT|INTERVAL|ARG)|PORT|OTEL_\w*(?:DISABLED|ENABLED|INSECURE)"
)
_NUMBER: Final = re.compile(r"(?i)[+\-]?[0-9.]+(?:e[+\-]?[0-9]+)?|true|false|inf")
_LISTED_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:(?!,\s*[a-z][a-z0-9+.-]*://)\S)+")
Pairs = Iterator[tuple[str, str]]


def collect_secrets(settings: BaseSettings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Secrets of the settings, passwords in URLs, and environment variables with the name of a secret.

    Returns:
        Values by name.
    """
    return _by_name((*_from_environment(environment), *_from_settings(settings)))


def secrets_of_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What `collect_secrets` finds in the environment alone."""
    return _by_name(_from_environment(environment))


def secrets_of_url(name: str, url: str) -> dict[str, str]:
    """The passwords in a URL that is neither a setting nor in the environment. `name` says what it is."""
    return _by_name(_from_url(name, url))


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    secrets: dict[str, str] = {}
    for name, value in pairs:
        is_free = name not in secrets or secrets[name] == value
        secrets.setdefault(name if is_free else f"{name} ({len(secrets)})", value)
    return secrets


def _from_settings(settings: BaseSettings) -> Pairs:
    for field in type(settings).model_fields:
        value, name = getattr(settings, field), field.upper()
        if isinstance(value, SecretStr):
            yield from _from_secret(name, value.get_secret_value())
        elif isinstance(value, str) and _URL_NAMES.fullmatch(name):
            yield from _from_url(name, value)


def _from_secret(name: str, value: str) -> Pairs:
    yield name, value
    for url in _LISTED_URL.findall(value) if value.count("://") > 1 else ():  # a list: each is a secret of its own
        yield name, url
        yield from _from_url(name, url)
    if value.startswith(("http://", "https://")):  # the path of a webhook is enough to use it
        parts = urlsplit(value)
        yield f"{name}'s path", parts.path + (f"?{parts.query}" if parts.query else "")
        yield from _from_url(name, value)


def _from_environment(environment: Mapping[str, str]) -> Pairs:
    for name, value in environment.items():
        if _HEADER_NAMES.fullmatch(name):
            yield from _from_headers(name, value)
        elif _SECRET_NAMES.fullmatch(name):
            yield name, value
        elif _URL_NAMES.fullmatch(name) and ("@" in value or "?" in value):
            yield from _from_url(name, value)
        elif _NUMBER_NAMES.fullmatch(name) and not _NUMBER.fullmatch(value.strip()):
            yield f"value of {name}", value  # a secret in the wrong variable, which the SDK quotes in its complaint


def _from_headers(name: str, value: str) -> Pairs:
    """Parses `key=value,…` with URL-encoded values. Of `Basic …` and `Bearer …` only the part after the scheme is secret."""
    for pair in value.split(","):
        header, equals, encoded = pair.partition("=")
        value_of_header = unquote(encoded.strip()) if equals else pair.strip()  # malformed: the SDK quotes it
        yield f"{name} {header.strip()}" if equals else name, value_of_header.rpartition(" ")[2]


def _from_url(name: str, value: str) -> Pairs:
    """The password of the URL, unless the same word is also a public part of the URL."""
    try:
        url = make_url(value)
        password, public_parts = (
            url.password,
            {url.username, url.database, url.host, url.drivername, url.get_backend_name()},
        )
    except (ArgumentError, ValueError):
        return
    if password and str(password) not in public_parts:
        yield f"password of {name}", str(password)
    for parameter, given in url.query.items():
        if is_secret_name(parameter):
            values = (given,) if isinstance(given, str) else given
            yield from ((f"{parameter} of {name}", value) for value in values)
