"""Types of parameters that several endpoints share, and what each may be, in words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field
from pydantic.functional_validators import AfterValidator, BeforeValidator

from service.database.keyset import MAX_ID

EXPECTED: Final = "x-expected"
"""The key of a schema for what its value may be, where `expected` could not say so by itself."""
_KINDS: Final = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text"}
_RFC_3339: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


def _require_rfc3339(given: object) -> object:
    """Pydantic would take a number for Unix seconds. A `+` that was not escaped arrives as a space."""
    timestamp = given.replace(" ", "+") if isinstance(given, str) else ""
    if not re.fullmatch(_RFC_3339, timestamp, re.ASCII | re.IGNORECASE):
        raise ValueError("a time has its offset from UTC, as in 2025-10-02T12:00:00Z")
    return timestamp


def _to_utc(timestamp: datetime) -> datetime:
    try:
        return timestamp.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of the calendar") from None


Rfc3339 = Annotated[
    AwareDatetime,
    BeforeValidator(_require_rfc3339),
    AfterValidator(_to_utc),
    Field(
        examples=["2025-10-02T12:00:00Z", "2025-10-02T15:00:00+03:00"],
        json_schema_extra={EXPECTED: "a date and time with an offset from UTC"},
    ),
]
MarketplaceName = Literal["wb", "ozon"]
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]
PageLimit = Annotated[int, Field(ge=1, le=500, description="How many to return at most.", examples=[50])]
RunLimit = Annotated[int, Field(ge=1, le=1000, description="How many to return at most.", examples=[50])]
Window = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{0,4}[smhdw]$",
        examples=["24h", "7d"],
        json_schema_extra={EXPECTED: "a whole number from 1 to 99999 with s, m, h, d or w"},
    ),
]
"""So many seconds, minutes, hours, days or weeks."""


def expected(schema: Mapping[str, Any]) -> str:
    """What a value may be by its JSON schema, such as `a whole number from 1 to 500` or `wb or ozon`."""
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if choices:
        return " or ".join(expected({**schema, "anyOf": (), **each}) for each in choices)
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return _alternatives(values)
    words = schema.get(EXPECTED) or f"{_KINDS.get(schema.get('type', ''), 'a value')}{_limits(schema)}"
    examples = schema.get("examples", []) if EXPECTED in schema else []
    return f"{words}, for example {_alternatives(examples)}" if examples else words


def _limits(schema: Mapping[str, Any]) -> str:
    lowest, highest, longest = (schema.get(name) for name in ("minimum", "maximum", "maxLength"))
    if longest is not None:
        return f" of at most {longest} characters"
    if highest is None:
        return "" if lowest is None else f" of {lowest} or more"
    return f" up to {highest}" if lowest is None else f" from {lowest} to {highest}"


def _alternatives(values: Any) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last
