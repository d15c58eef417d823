"""A small, strict checker of JSON Schema. A keyword that it does not know is an error, not ignored."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

Schema = Mapping[str, Any]
_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def faults_of(value: Any, schema: Schema, where: str = "$") -> Iterator[str]:
    """What of a value is not as the schema says."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_TYPES[kind](value) for kind in kinds):
        yield f"{where} is {type(value).__name__}, not {' or '.join(kinds)}"
        return
    for keyword, argument in schema.items():
        if keyword != "type":
            yield from _KEYWORDS[keyword](value, argument, where)


def _properties(value: Any, properties: Mapping[str, Schema], where: str) -> Iterator[str]:
    for name, schema in properties.items():
        if isinstance(value, dict) and name in value:
            yield from faults_of(value[name], schema, f"{where}.{name}")
    for name in set(value or ()) - set(properties):
        yield f"{where}.{name} is not documented"


def _required(value: Any, names: list[str], where: str) -> Iterator[str]:
    yield from (f"{where}.{name} is missing" for name in names if value is not None and name not in value)


def _items(value: Any, schema: Schema, where: str) -> Iterator[str]:
    for number, item in enumerate(value or ()):
        yield from faults_of(item, schema, f"{where}[{number}]")


def _enum(value: Any, allowed: list[Any], where: str) -> Iterator[str]:
    if value not in allowed:
        yield f"{where} is {value!r}, not one of {allowed}"


def _pattern(value: Any, pattern: str, where: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(pattern, value):
        yield f"{where} is {value!r}, which does not match {pattern}"


def _format(value: Any, kind: str, where: str) -> Iterator[str]:
    assert kind == "date-time"
    try:
        if value is not None and datetime.fromisoformat(value).tzinfo is None:
            yield f"{where} has no time zone"
    except ValueError:
        yield f"{where} is {value!r}, which is no date and time"


def _range(value: Any, bound: Any, where: str, *, low: bool, size: bool) -> Iterator[str]:
    number = value if value is None or not size else len(value)
    if number is not None and (number < bound if low else number > bound):
        yield f"{where} is {number}, {'less' if low else 'more'} than {bound}"


_KEYWORDS: Final[Mapping[str, Callable[[Any, Any, str], Iterator[str]]]] = {
    "properties": _properties,
    "additionalProperties": lambda _value, _argument, _where: iter(()),  # `properties` allows no others
    "required": _required,
    "items": _items,
    "enum": _enum,
    "pattern": _pattern,
    "format": _format,
    "minimum": lambda value, bound, where: _range(value, bound, where, low=True, size=False),
    "maximum": lambda value, bound, where: _range(value, bound, where, low=False, size=False),
    "minItems": lambda value, bound, where: _range(value, bound, where, low=True, size=True),
    "maxItems": lambda value, bound, where: _range(value, bound, where, low=False, size=True),
    "minLength": lambda value, bound, where: _range(value, bound, where, low=True, size=True),
    "maxLength": lambda value, bound, where: _range(value, bound, where, low=False, size=True),
}
