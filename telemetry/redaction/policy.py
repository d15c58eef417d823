"""The redaction policy: removes secrets from texts, nested values and attributes. One per process."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final

from telemetry.redaction.known_values import KnownSecrets
from telemetry.redaction.matching import placeholder, same_length_lower
from telemetry.redaction.named_values import is_secret_name
from telemetry.redaction.patterns import CARD_DIGITS, CARD_PATTERNS, PATTERNS, count_digits
from telemetry.redaction.secret_sources import secrets_of_url
from telemetry.redaction.shortening import (
    MAX_ON_EVENT_LOOP,
    beginning,
    beginning_and_end,
    is_on_event_loop,
    shortened_container,
)
from telemetry.redaction.sql_sanitizer import sanitize_sql

_STATEMENT_ATTRIBUTES: Final = frozenset(("db.query.text", "db.statement"))
_QUERY_ATTRIBUTES: Final = frozenset(("url.query",))
_TRIGGERS: Final = tuple((trigger, pattern) for pattern in PATTERNS for trigger in pattern.triggers)
MAX_FOREIGN_TEXT: Final = 2048
"""Characters that are shown of a text that a client sent."""
_MAX_DEPTH: Final = 32
_MAX_CACHED_TEXTS: Final = 4096
_MAX_CACHED_TEXT_LENGTH: Final = 200  # characters
_MAX_CACHED_STATEMENT_LENGTH: Final = 4000  # characters
_cached_sanitize_sql = lru_cache(maxsize=512)(sanitize_sql)


class Policy:
    """Raises nothing. A value without secrets is returned as the same object."""

    def __init__(self) -> None:
        self._known = KnownSecrets()
        # Names, routes and statements are the same again and again.
        self._cached_text = lru_cache(maxsize=_MAX_CACHED_TEXTS)(self.redact_text)

    def add_secrets(self, secrets: Mapping[str, str]) -> None:
        """Redact these values as well, each replaced by its name."""
        self._known.add(secrets)
        self._cached_text.cache_clear()

    def clear_secrets(self) -> None:
        """Forget all known values. Patterns are still redacted."""
        self._known = KnownSecrets()
        self._cached_text.cache_clear()

    def redact_text(self, text: str) -> str:
        """Replace the known secrets in the text, and what matches a pattern. On an event loop, a long text is shortened first."""
        text = _short_on_event_loop(text)
        text = self._known.redact(text)
        lower = same_length_lower(text)
        for pattern in dict.fromkeys(pattern for trigger, pattern in _TRIGGERS if trigger in lower):
            redacted = pattern.redact(text, lower)
            if redacted is not text:
                text, lower = redacted, same_length_lower(redacted)
        if count_digits(text) >= CARD_DIGITS:
            for pattern in CARD_PATTERNS:
                if not pattern.triggers or pattern.triggers[0] in text:
                    text = pattern.redact(text)
        return text

    def redact_foreign_text(self, text: str, limit: int = MAX_FOREIGN_TEXT) -> str:
        """Redact a text that a client sent, such as a path. Of a long one only the beginning is kept."""
        return self.redact_text(beginning(text, limit))

    def redact_value(self, value: Any, name: str = "", above: tuple[int, ...] = ()) -> Any:
        """Redact a value of any type, and everything inside it.

        Args:
            value: text, bytes, a number or a container. Objects of other types are returned as they are.
            name: name of the value. If it is the name of a secret, the whole value is redacted.
            above: ids of the containers that the value is in.
        """
        if isinstance(value, str):
            return self._redact_named(value, name)
        if isinstance(value, bytes | bytearray):
            text = value.decode("utf-8", "replace")
            return value if (redacted := self._redact_named(text, name)) == text else redacted
        if isinstance(value, Mapping | list | tuple | AbstractSet):
            return self._redact_container(value, name, above)
        return placeholder(name.rpartition(".")[2]) if isinstance(value, int) and _is_secret(name) and value else value

    def _redact_named(self, text: str, name: str) -> str:
        if name in _STATEMENT_ATTRIBUTES:
            sanitize = _cached_sanitize_sql if len(text) <= _MAX_CACHED_STATEMENT_LENGTH else sanitize_sql
            redacted = self.redact_text(sanitize(_short_on_event_loop(text)))
            return text if redacted == text else redacted
        if name in _QUERY_ATTRIBUTES:
            redacted = self.redact_text(f"?{text}")[1:]
            return text if redacted == text else redacted
        if text and _is_secret(name):
            return placeholder(name.rpartition(".")[2], text)
        redacted = self._cached_text(text) if len(text) <= _MAX_CACHED_TEXT_LENGTH else self.redact_text(text)
        return text if redacted == text else redacted

    def _redact_container(self, values: Any, name: str, above: tuple[int, ...]) -> Any:
        """A container inside itself is returned as it is: it could not be written out either."""
        if id(values) in above:
            return values
        if len(above) >= _MAX_DEPTH:
            return placeholder("value")
        if not above and is_on_event_loop():
            values = shortened_container(values, MAX_ON_EVENT_LOOP)
        inside = (*above, id(values))
        return (
            self._redact_mapping(values, inside)
            if isinstance(values, Mapping)
            else self._redact_items(values, name, inside)
        )

    def _redact_mapping(self, values: Mapping[Any, Any], inside: tuple[int, ...]) -> Any:
        redacted, is_changed = {}, False
        for key, each in values.items():
            name = key if isinstance(key, str) else ""
            redacted_key, redacted_value = self._redact_key(key), self.redact_value(each, name, inside)
            is_changed = is_changed or redacted_value is not each or redacted_key is not key
            redacted[redacted_key] = redacted_value
        return redacted if is_changed else values

    def _redact_key(self, key: Any) -> Any:
        redacted = self.redact_value(key)
        return tuple(redacted) if isinstance(redacted, list) else redacted  # a set, whose copy is a list

    def _redact_items(self, values: Any, name: str, inside: tuple[int, ...]) -> Any:
        redacted = [self.redact_value(each, name, inside) for each in values]
        if all(new is old for new, old in zip(redacted, values, strict=True)):
            return values
        return tuple(redacted) if isinstance(values, tuple) else redacted

    def redact_attributes(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.redact_value(attributes)  # type: ignore[no-any-return]


def _short_on_event_loop(text: str) -> str:
    is_long = len(text) > MAX_ON_EVENT_LOOP and is_on_event_loop()
    return beginning_and_end(text, MAX_ON_EVENT_LOOP) if is_long else text


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return bool(name) and len(name) <= 256 and is_secret_name(name)  # noqa: PLR2004  # longer ones are no names


POLICY: Final = Policy()
"""The policy of the process, applied at every output."""

redact: Final = POLICY.redact_text
redact_foreign_text: Final = POLICY.redact_foreign_text
redact_value: Final = POLICY.redact_value
redact_attributes: Final = POLICY.redact_attributes


def hide_url(name: str, url: str) -> None:
    """Redact the passwords in this URL from now on. `name` says what it is."""
    POLICY.add_secrets(secrets_of_url(name, url))
