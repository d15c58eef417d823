"""A method of Ozon's: the body that it takes, checked as strictly as there, and what answers it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.sandbox.ozon.errors import invalid


class Body(BaseModel):
    """As in every API made from protobuf: an unknown field is ignored, and null is the same as none."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


@dataclass(frozen=True, slots=True)
class Method:
    """`answer` is handed a body of the class `body`; `needs_subscription` is looked at once the body has been found valid."""

    body: type[Body]
    answer: Callable[[Any], dict[str, Any]]
    needs_subscription: bool = False


_Parsed = TypeVar("_Parsed", bound=Body)


def parse(kind: type[_Parsed], raw: bytes) -> _Parsed:
    """Raises:
    Refused: it is no JSON object, or not one of that kind.
    """
    try:
        given = json.loads(raw)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise invalid("proto: syntax error (line 1:1): the body must be a JSON object")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise invalid(f"Request validation error: {_sentence(kind, error)}") from None


def _sentence(kind: type[Body], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part).title().replace("_", "") for part in first["loc"])
    return f"invalid {kind.__name__}.{field}: {first['msg']}"


def between(low: int, high: int) -> AfterValidator:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise PydanticCustomError("range", f"value must be inside range [{low}, {high}]")
        return value

    return AfterValidator(check)


def _only_text(given: Any) -> Any:
    if not isinstance(given, str):
        raise PydanticCustomError("moment", "value must be a string in RFC 3339")
    return given


def _upper(given: Any) -> Any:
    """Ozon's documentation itself writes `asc` in an example."""
    return given.upper() if isinstance(given, str) else given


Whole = Annotated[int, Strict()]
ReviewPage = Annotated[int, Strict(), between(20, 100)]
Moment = Annotated[AwareDatetime, BeforeValidator(_only_text)]
Direction = Annotated[Literal["ASC", "DESC"], BeforeValidator(_upper)]


def rfc3339(moment: datetime, precision: str = "seconds") -> str:
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
