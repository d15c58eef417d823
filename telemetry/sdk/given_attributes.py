"""The attributes of a job's span as they were given, before the limits of the SDK drop them or cut their values.

Who starts or ends a span passes them to the processors, which run within that call.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

from opentelemetry.util.types import AttributeValue

NOTHING: Final[Mapping[str, AttributeValue]] = {}
_given: Final[ContextVar[tuple[str | int, Mapping[str, AttributeValue]] | None]] = ContextVar("given", default=None)


def give(span: str | int, attributes: Mapping[str, AttributeValue]) -> None:
    """Pass the attributes of the span that starts or ends next in this context: the name of a new one, or the id of an old one."""
    _given.set((span, attributes))


def take(span: str | int) -> Mapping[str, AttributeValue]:
    """What was passed for this span, once; else nothing."""
    given = _given.get()
    if given is None:
        return NOTHING
    _given.set(None)
    return given[1] if given[0] == span else NOTHING


def whole(given: Mapping[str, AttributeValue], limited: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """The attributes of a span that may have lost some of the given ones, or the ends of their values."""
    cut = {name for name in given if _is_cut(limited.get(name), given[name])}
    return {**given, **{name: value for name, value in limited.items() if name not in cut}}


def _is_cut(value: AttributeValue | None, given: AttributeValue) -> bool:
    return isinstance(value, str) and isinstance(given, str) and given.startswith(value)
