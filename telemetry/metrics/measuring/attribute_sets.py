"""The attribute sets of one instrument, up to a limit."""

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.util.types import Attributes

from telemetry import semconv
from telemetry.redaction.policy import redact_attributes

OVERFLOW: Final[Mapping[str, bool]] = {semconv.METRIC_OVERFLOW: True}
Key = frozenset[tuple[str, Any]]
_DIFFERENT: Final = frozenset({str, int})
_NO_ATTRIBUTES: Final[Key] = frozenset()
_log = logging.getLogger(__name__)


class AttributeSets:
    """The attribute sets of one instrument so far; further ones become the overflow set."""

    __slots__ = ("_limit", "_lock", "_overflowed", "_seen", "instrument")

    def __init__(self, instrument: str, limit: int) -> None:
        self.instrument = instrument
        self._limit = limit - 1  # the overflow set is the last one
        self._seen: set[Key] = set()
        self._overflowed = False
        self._lock = threading.RLock()

    def admit(self, attributes: Attributes) -> Attributes:
        """Register attributes, redacted if they hold a secret. Returns them, or the overflow set over the limit."""
        key = _key(attributes) if attributes else _NO_ATTRIBUTES
        if key in self._seen:
            return attributes
        if attributes and len(self._seen) < self._limit and (safe := redact_attributes(attributes)) is not attributes:
            attributes, key = safe, _key(safe)  # not redacted again: what replaces a secret is a new text each time
        return attributes if self._add(key) else OVERFLOW

    def _add(self, key: Key) -> bool:
        with self._lock:
            if key in self._seen:
                return True
            if len(self._seen) < self._limit:
                self._seen.add(key)
                return True
            first, self._overflowed = not self._overflowed, True
        if first:
            _log.warning(
                "Instrument %s has reached its limit of %d time series: further label values go into one overflow series.",
                self.instrument,
                self._limit + 1,
            )
        return False

    @property
    def overflowed(self) -> bool:
        return self._overflowed

    @property
    def number(self) -> int:
        """How many there are, the overflow set included."""
        return len(self._seen) + self._overflowed


def _key(attributes: Mapping[str, Any]) -> Key:
    """1, 1.0 and True are equal in Python, but not to the SDK: what is neither a text nor an integer has its type beside it."""
    try:
        return frozenset(
            [(name, value if type(value) in _DIFFERENT else (type(value), value)) for name, value in attributes.items()]
        )
    except TypeError:  # an attribute's value may be a list
        return frozenset((name, repr(value)) for name, value in attributes.items())
