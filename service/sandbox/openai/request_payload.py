"""Parses a request to the Responses API as strictly as the real service."""

import json
import math
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.sandbox.openai import schema as openai_schema
from service.sandbox.openai.errors import ApiError, context_length_exceeded, invalid, model_not_found
from service.sandbox.openai.models import CONTEXT_TOKENS, REASONING_TOKENS, Model, find_model

# Parameters of the older Chat Completions API, with their replacements.
_MOVED_PARAMETERS: Final = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "functions": "tools",
}
# Supported by the real service, and not by the sandbox.
_UNSUPPORTED_PARAMETERS: Final = frozenset(
    {"stream", "background", "conversation", "previous_response_id", "prompt", "tools", "tool_choice"}
)
_CODES: Final = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "greater_than_equal": "integer_below_min_value",
    "less_than_equal": "decimal_above_max_value",
    "string_too_long": "string_above_max_length",
    "literal_error": "invalid_value",
    "string_pattern_mismatch": "invalid_value",
}
_BRANCHES: Final = frozenset({"str", "list[InputMessage]", "list[Content]"})
_MESSAGES: Final = {
    "missing_required_parameter": "Missing required parameter: '{param}'.",
    "unknown_parameter": "Unknown parameter: '{param}'.",
    "invalid_type": "Invalid type for '{param}': expected {reason}, but got {got} instead.",
    "invalid_value": "Invalid value: {value}. {reason}.",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Content(_Strict):
    type: Literal["input_text", "output_text"]
    text: str


class InputMessage(_Strict):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Content]
    type: Literal["message"] = "message"

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class TextFormat(_Strict):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    strict: bool | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class TextOptions(_Strict):
    format: TextFormat = TextFormat(type="text")
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(_Strict):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ResponseRequest(_Strict):
    """The body of `POST /responses`."""

    model: str
    input: str | Annotated[list[InputMessage], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=16)
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    reasoning: ReasoningOptions | None = None
    safety_identifier: str | None = Field(None, max_length=128)
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    store: bool | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    text: TextOptions = TextOptions()
    top_p: float | None = Field(None, ge=0, le=1)
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None

    @property
    def question(self) -> str:
        return self.input if isinstance(self.input, str) else "\n".join(item.text for item in self.input)

    @property
    def answer_schema(self) -> dict[str, Any] | None:
        if self.text.format.type == "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}}}
        return self.text.format.schema_

    @property
    def input_tokens(self) -> int:
        """The input tokens of the request."""
        schema = json.dumps(self.answer_schema) if self.answer_schema else ""
        return count_tokens(self.question + (self.instructions or "") + schema)

    def reasoning_tokens(self, model: Model) -> int:
        """The tokens that the model uses for reasoning."""
        return REASONING_TOKENS[(self.reasoning and self.reasoning.effort) or model.effort or "none"]


def count_tokens(text: str) -> int:
    """An estimate: three characters a token."""
    return math.ceil(len(text) / 3)


def parse_request(body: bytes, today: date) -> tuple[ResponseRequest, Model]:
    """Parse the body of a request.

    Args:
        body: the JSON.
        today: the date, which decides about the available models.

    Returns:
        The request and its model.

    Raises:
        ApiError: the request is invalid; the error names the parameter.
    """
    parameters = _parse_object(body)
    _reject_unsupported(parameters)
    try:
        request = ResponseRequest.model_validate(parameters)
    except ValidationError as error:
        raise _validation_error(error) from None
    model = find_model(request.model, today)
    if model is None:
        raise model_not_found(request.model)
    _check_model(request, model)
    return request, model


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        parameters = json.loads(body)
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise invalid(None, None, "We could not parse the JSON body of your request.")
    return parameters


def _reject_unsupported(parameters: dict[str, Any]) -> None:
    for name, value in parameters.items():
        if name in _MOVED_PARAMETERS:
            replacement = f"In the Responses API, this parameter has moved to '{_MOVED_PARAMETERS[name]}'."
            raise invalid(name, "unsupported_parameter", f"Unsupported parameter: '{name}'. {replacement}")
        if name in _UNSUPPORTED_PARAMETERS and value:
            raise invalid(name, "unsupported_parameter", f"Unsupported parameter: '{name}': not in this sandbox.")
    for name in _UNSUPPORTED_PARAMETERS & parameters.keys():
        del parameters[name]


def _validation_error(error: ValidationError) -> ApiError:
    first = max(error.errors(include_url=False), key=lambda one: len(one["loc"]))  # the most specific branch of a union
    param = ".".join(str(part) for part in first["loc"] if str(part) not in _BRANCHES)
    code = _CODES.get(first["type"], "invalid_type")
    reason, got = first["msg"].removeprefix("Input should be "), type(first["input"]).__name__
    template = _MESSAGES.get(code, "Invalid '{param}': expected {reason}.")
    return invalid(param, code, template.format(param=param, reason=reason, got=got, value=repr(first["input"])))


def _check_model(request: ResponseRequest, model: Model) -> None:
    if model.effort is None and request.reasoning is not None:
        raise _unsupported("reasoning.effort")
    for name in ("temperature", "top_p"):
        if model.always_reasons and getattr(request, name) is not None:
            raise _unsupported(name)
    if request.text.format.type == "json_schema":
        openai_schema.check(
            request.text.format.name, request.text.format.schema_, strict=bool(request.text.format.strict)
        )
    if request.input_tokens > CONTEXT_TOKENS:
        raise context_length_exceeded()


def _unsupported(param: str) -> ApiError:
    message = f"Unsupported parameter: '{param}' is not supported with this model."
    return invalid(param, "unsupported_parameter", message)
