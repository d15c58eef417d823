"""Policy: what is hidden, of texts, of nested values and of attributes. One for a process, as there is one set of secrets."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final

from telemetry.redaction.known_values import KnownSecrets
from telemetry.redaction.patterns import CARD_DIGITS, CARD_PATTERN, PATTERNS, digits_in, names_a_secret, placeholder
from telemetry.redaction.sql_sanitizer import without_literals

STATEMENTS: Final = frozenset(("db.query.text", "db.statement"))
QUERIES: Final = frozenset(("url.query",))
_TRIGGERS: Final = tuple((trigger, shape) for shape in PATTERNS for trigger in shape.triggers)
_MAX_DEPTH: Final = 32
_SHORT: Final = 200  # characters of what is remembered,
_MAX_REMEMBERED: Final = 4096  # how many of them,
_MAX_CACHED_LENGTH: Final = 4000  # and of a statement
_sanitized = lru_cache(maxsize=512)(without_literals)


class Policy:
    """Nothing here raises, and what has nothing to hide is handed back as it came."""

    def __init__(self) -> None:
        self._known = KnownSecrets()
        self._seen_before = lru_cache(maxsize=_MAX_REMEMBERED)(
            self.text
        )  # names, routes, statements: the same again and again

    def learn(self, secrets: Mapping[str, str]) -> None:
        """Hide these values, too; each is replaced by its name."""
        self._known.learn(secrets)
        self._seen_before.cache_clear()

    def forget(self) -> None:
        """Know no value any more, as when the process began; shapes are hidden still."""
        self._known = KnownSecrets()
        self._seen_before.cache_clear()

    def text(self, text: str) -> str:
        text = self._known.hide(text)
        small = text.lower()
        if found := [shape for trigger, shape in _TRIGGERS if trigger in small]:
            for shape in dict.fromkeys(found):
                text = shape.hide(text)
        return CARD_PATTERN.hide(text) if digits_in(text) >= CARD_DIGITS else text

    def value(self, value: Any, name: str = "", above: tuple[int, ...] = ()) -> Any:
        """A value of any kind, and what is inside of it. One whose name says that it is a secret is hidden whole."""
        if isinstance(value, str):
            return self._named(value, name)
        if isinstance(value, bytes | bytearray):
            text = value.decode("utf-8", "replace")
            return value if (hidden := self._named(text, name)) == text else hidden
        if isinstance(value, Mapping | list | tuple | AbstractSet):
            return self._container(value, name, above)
        return placeholder(name.rpartition(".")[2]) if isinstance(value, int) and _is_secret(name) and value else value

    def _named(self, text: str, name: str) -> str:
        if name in STATEMENTS:
            shown = self.text(_sanitized(text) if len(text) <= _MAX_CACHED_LENGTH else without_literals(text))
            return text if shown == text else shown
        if name in QUERIES:
            shown = self.text(f"?{text}")[1:]
            return text if shown == text else shown
        if text and _is_secret(name):
            return placeholder(name.rpartition(".")[2], text)
        shown = self._seen_before(text) if len(text) <= _SHORT else self.text(text)
        return text if shown == text else shown

    def _container(self, values: Any, name: str, above: tuple[int, ...]) -> Any:
        """`above` are the ids of what it is in. What contains itself cannot be written out by anybody."""
        if id(values) in above:
            return values
        if len(above) >= _MAX_DEPTH:
            return placeholder("value")
        inside = (*above, id(values))
        return self._mapping(values, inside) if isinstance(values, Mapping) else self._several(values, name, inside)

    def _mapping(self, values: Mapping[Any, Any], inside: tuple[int, ...]) -> Any:
        redacted, changed = {}, False
        for key, each in values.items():
            name = key if isinstance(key, str) else ""
            shown_key, shown = self.value(key), self.value(each, name, inside)
            changed = changed or shown is not each or shown_key is not key
            redacted[shown_key] = shown
        return redacted if changed else values

    def _several(self, values: Any, name: str, inside: tuple[int, ...]) -> Any:
        redacted = [self.value(each, name, inside) for each in values]
        if all(new is old for new, old in zip(redacted, values, strict=True)):
            return values
        return tuple(redacted) if isinstance(values, tuple) else redacted

    def attributes(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same object where there is nothing to hide."""
        return self.value(attributes)  # type: ignore[no-any-return]


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return bool(name) and len(name) <= 256 and names_a_secret(name)  # noqa: PLR2004  # no name of anything is longer


POLICY: Final = Policy()
"""The process's: what it has learned is hidden at every way out."""

redact: Final = POLICY.text
redact_value: Final = POLICY.value
redact_attributes: Final = POLICY.attributes
