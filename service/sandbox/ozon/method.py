"""Methods of the Seller API: the model of the body, validated as strictly as by Ozon, and the handler."""

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
    """The body of a request. As with protobuf, unknown fields are ignored, and null means that the field is missing."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        return (
            {name: value for name, value in fields.items() if value is not None} if isinstance(fields, dict) else fields
        )


@dataclass(frozen=True, slots=True)
class Method:
    """A method.

    Attributes:
        body: the model of the body.
        handler: gets the parsed body, and returns the response.
        needs_subscription: is checked after the body has been validated.
    """

    body: type[Body]
    handler: Callable[[Any], dict[str, Any]]
    needs_subscription: bool = False


_AnyBody = TypeVar("_AnyBody", bound=Body)


def parse_body(model: type[_AnyBody], raw: bytes) -> _AnyBody:
    """Raises:
    ApiError: the body is no JSON object, or is invalid.
    """
    try:
        fields = json.loads(raw)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise invalid("proto: syntax error (line 1:1): the body must be a JSON object")
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(f"Request validation error: {_first_error(model, error)}") from None


def _first_error(model: type[Body], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part).title().replace("_", "") for part in first["loc"])
    return f"invalid {model.__name__}.{field}: {first['msg']}"


def in_range(low: int, high: int) -> AfterValidator:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise PydanticCustomError("range", f"value must be inside range [{low}, {high}]")
        return value

    return AfterValidator(check)


def _require_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("moment", "value must be a string in RFC 3339")
    return value


def _to_upper(value: Any) -> Any:
    """Ozon's documentation has `asc` in an example."""
    return value.upper() if isinstance(value, str) else value


WholeNumber = Annotated[int, Strict()]
ReviewPage = Annotated[int, Strict(), in_range(20, 100)]
Timestamp = Annotated[AwareDatetime, BeforeValidator(_require_text)]
Direction = Annotated[Literal["ASC", "DESC"], BeforeValidator(_to_upper)]


def rfc3339(timestamp: datetime, precision: str = "seconds") -> str:
    return timestamp.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
