"""Converts any value to JSON that PostgreSQL and SQLite accept. Nothing here raises."""

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
_MAX_DEPTH: Final = 32
_MAX_EXACT_INTEGER: Final = 2**63  # beyond 64 bits most JSON parsers round, so larger integers become text


def without_surrogates(text: str) -> str:
    """Replace what PostgreSQL rejects in text and JSON: NUL and lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def valid_unicode(text: str) -> str:
    """The text, if it can be encoded. Else a lone surrogate becomes U+FFFD, and a pair the character that it stands for."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_text(value: object) -> str:
    """`str` of any value, without NUL and lone surrogates; `<TypeName>` if `__str__` raises."""
    try:
        return without_surrogates(str(value))
    except Exception:  # noqa: BLE001  # a foreign `__str__` may raise anything
        return f"<{type(value).__name__}>"


def dumps(metadata: object) -> str:
    """Serialize to JSON text, which a span can carry as an attribute."""
    try:
        return json.dumps(metadata, allow_nan=False)
    except Exception:  # noqa: BLE001  # unsupported values raise many different errors, and foreign code its own
        return json.dumps(json_safe(metadata))


def loads(attribute: object) -> dict[str, Json]:
    """Parse the attribute of a span; `{"text": …}` if it is not a complete JSON object, `{}` if it is None."""
    if attribute is None:
        return {}
    parsed = json_safe(_parsed(attribute) if isinstance(attribute, str) else attribute)
    return parsed if isinstance(parsed, dict) else {"text": to_text(attribute)}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def json_safe(value: object, ancestors: tuple[int, ...] = ()) -> Json:
    """Convert to JSON values; what JSON cannot represent becomes text.

    Args:
        value: any value.
        ancestors: the ids of the containers around it, against cycles and excessive depth.
    """
    if isinstance(value, Mapping | list | tuple | AbstractSet):
        return _container(value, ancestors)
    if isinstance(value, bytes | bytearray):
        return without_surrogates(value.decode("utf-8", "replace"))
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, int | float):
        return _number(value)
    return None if value is None else to_text(value)


def _number(value: float) -> Json:
    exact = abs(value) < _MAX_EXACT_INTEGER if isinstance(value, int) else math.isfinite(value)
    return value if exact else to_text(value)


def _container(value: object, ancestors: tuple[int, ...]) -> Json:
    if id(value) in ancestors or len(ancestors) >= _MAX_DEPTH:
        return to_text(value)
    path = (*ancestors, id(value))
    try:
        if isinstance(value, Mapping):
            return {to_text(key): json_safe(item, path) for key, item in dict(value).items()}
        return [json_safe(item, path) for item in list(value)]  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001  # a foreign container, or one that another thread changes
        return to_text(value)
