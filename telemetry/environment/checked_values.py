"""Checks of single values of the environment. Each raises a `ValueError` for what it refuses."""

import re
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from telemetry.environment.prepared_statements import prepare_threshold

SAMPLERS: Final = frozenset(
    {
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    }
)
_USER_IDS: Final = re.compile(r"\s*[1-9][0-9]{0,18}\s*(,\s*[1-9][0-9]{0,18}\s*)*", re.ASCII)


def validated_database_url(text: str) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number
        raise ValueError("not a URL") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise ValueError("another database")
    prepare_threshold(url)
    return url.render_as_string(hide_password=False)


def sampler(text: str) -> str:
    if text not in SAMPLERS and not entry_points(group="opentelemetry_traces_sampler", name=text):
        raise ValueError("not a sampler")
    return text


def web_address(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("not a URL")
    return url


def user_ids(text: str) -> str:
    """Numbers of Telegram's users, with commas between them."""
    if not _USER_IDS.fullmatch(text):
        raise ValueError("not a list of numbers")
    return text


_PART: Final = re.compile(r"([0-9]{1,7})([smhd])")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MAX_DURATION: Final = 7 * 86_400


def duration(value: object) -> object:
    """The seconds of a duration such as `90s`, `15m` or `1h30m`, from one second to seven days."""
    if not isinstance(value, str):
        return value
    seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(value))
    if _PART.sub("", value) or not 1 <= seconds <= _MAX_DURATION:
        raise ValueError("not a duration")
    return float(seconds)


def checked_profile_server(address: str) -> str:
    """The address of a Pyroscope server.

    Raises:
        ValueError: it is no such address, has credentials in it, or the SDK is not installed.
    """
    url = urlsplit(address)
    _ = url.port  # raises
    if (
        url.scheme not in {"http", "https"}
        or not url.hostname
        or "@" in url.netloc
        or not address.isprintable()
        or " " in address
    ):
        raise ValueError("not a URL")
    if find_spec("pyroscope") is None:
        raise ValueError("pyroscope-io is not installed")
    return address
