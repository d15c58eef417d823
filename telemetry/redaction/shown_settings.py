"""What a message about a wrong setting may show: a value that cannot be a secret that was put into the wrong variable."""

import ipaddress
import os
import re
from collections.abc import Collection, Iterable
from typing import Final

from pydantic_settings import BaseSettings

from telemetry.redaction.known_values import MIN_SECRET_LENGTH
from telemetry.redaction.policy import POLICY, redact
from telemetry.redaction.secret_sources import collect_secrets, secrets_of_environment

HIDDEN: Final = "(hidden)"
_SCHEME: Final = r"[a-z]{1,12}(?:\+[a-z0-9]{1,12})?://"
_HOST: Final = r"[a-z]{1,12}(?:\.[a-z]{1,12}){0,6}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_PORT: Final = "(?::(?:[0-9]{1,7}|port))?"
_PATH: Final = r"(?:/[a-z.]{0,7})?(?:\?[a-z]{1,12}=[a-z0-9*]{1,4}(?:&[a-z]{1,12}=[a-z0-9*]{1,4}){0,9})?"
_WORDS: Final = r"[a-z]{1,7}(?:[/,][a-z]{1,7}){0,2}|localhost"
_HARMLESS: Final = re.compile(
    rf"(?:{_SCHEME})(?:\*\*\*@)?(?:{_HOST})?{_PORT}{_PATH}"
    rf"|(?:\*\*\*@)(?:{_HOST}){_PORT}{_PATH}|[a-z]{{1,12}}:[0-9]{{1,7}}|[a-z]{{1,12}}(?:\.[a-z]{{1,12}}){{1,6}}{_PORT}|{_WORDS}"
)
_NAME_OF_A_PART: Final = re.compile(r"(?=.{1,40}$)[A-Za-z]{1,15}(?:[_-][A-Za-z]{1,15}){0,4}")
_PATH_OF_A_FILE: Final = re.compile(r"(?:\.{0,2}/)(?:[\w.-]{1,32}/){0,15}[\w-]{1,32}(?:\.[a-z]{2,7}){0,2}")


def without_password(text: str) -> str:
    """A URL, or what was meant to be one, without who logs in and without a password in its query."""
    hidden = re.sub(r"^(.*?://)?.+@", r"\1***@", text, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)


def harmless_or_hidden(text: str) -> str:
    """The value, if it is short, a word, an address or a plain URL; else that it is hidden."""
    shown = without_password(text)
    is_harmless = len(shown) < MIN_SECRET_LENGTH or _HARMLESS.fullmatch(shown) or _is_address(shown)
    if is_harmless:
        return redact(shown)
    scheme = re.match(_SCHEME, shown)
    return f"{scheme[0]}***" if scheme else HIDDEN


def shown_value(text: str) -> str:
    """The value in quotes, or that it is hidden."""
    shown = harmless_or_hidden(text)
    return shown if shown == HIDDEN else repr(shown)


def shown_words(text: str, words: Collection[str], *, is_path: bool = False) -> str:
    """The value in quotes, or that it is hidden; of a list with commas, each item by itself.

    Args:
        text: the value.
        words: they are harmless, and if there are any, so is what reads like one of them.
        is_path: the value is meant to be the path of a file, which is harmless.
    """
    if (whole := shown_value(text)) != HIDDEN:
        return whole
    if is_path and _PATH_OF_A_FILE.fullmatch(text):
        return repr(redact(text))
    items = [redact(item) if words and _is_word(item, words) else harmless_or_hidden(item) for item in text.split(",")]
    return HIDDEN if set(items) == {HIDDEN} else repr(",".join(items))


def _is_word(item: str, words: Collection[str]) -> bool:
    """Whether it is one of the words, or reads like one that is misspelled or not installed."""
    return item.strip().lower() in words or _NAME_OF_A_PART.fullmatch(item) is not None


def hide_environment() -> None:
    """Redact the secrets of the environment from now on: of settings that are wrong nobody else collects them."""
    POLICY.add_secrets(secrets_of_environment(os.environ))


def hide_secrets(settings: BaseSettings) -> None:
    """Redact the secrets of settings and environment from now on, also before anything is set up."""
    POLICY.add_secrets(collect_secrets(settings))


def redact_start_error(message: str, values: Iterable[str] = ()) -> str:
    """The message of a start that fails, without secrets.

    Args:
        message: the message.
        values: what may be repeated in it only if it is harmless, such as the values of the variables that it is about.
    """
    hide_environment()
    for value in sorted(values, key=len, reverse=True):
        if value in message and harmless_or_hidden(value) != value:
            message = message.replace(value, HIDDEN)
    return redact(message)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
