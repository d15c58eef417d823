"""Responses of OpenAI: the text of the model, or the reason why there is none, and the token usage."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from service.sandbox.openai.injections import Injection, obey
from service.sandbox.openai.models import LONG_REASONING, Model
from service.sandbox.openai.reply_texts import reply
from service.sandbox.openai.request_payload import ResponseRequest, count_tokens
from service.sandbox.openai.schema import SchemaFiller

Json = dict[str, Any]
REFUSAL: Final = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A request that was accepted.

    Attributes:
        id: the id of the response.
        created_at: Unix seconds.
        injection: what the model was talked into, by the review or by chance.
        is_long: whether it reasons for long.
    """

    id: str
    created_at: int
    request: ResponseRequest
    model: Model
    injection: Injection | None = None
    is_long: bool = False

    @property
    def reasoning_tokens(self) -> int:
        tokens = self.request.reasoning_tokens(self.model)
        return LONG_REASONING if tokens and self.is_long else tokens


def completed(call: AcceptedRequest) -> Json:
    """A complete response; an incomplete one without text if `max_output_tokens` is too small."""
    text = _generate_text(call)
    allowed = call.request.max_output_tokens
    if allowed is not None and count_tokens(text) + call.reasoning_tokens > allowed:
        return incomplete(call)
    return with_text(call, text)


def with_text(call: AcceptedRequest, text: str) -> Json:
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return _completed(call, content, count_tokens(text))


def refused(call: AcceptedRequest) -> Json:
    return _completed(call, {"type": "refusal", "refusal": REFUSAL}, count_tokens(REFUSAL))


def incomplete(call: AcceptedRequest) -> Json:
    body = _response(call, "incomplete", _reasoning_items(call))
    spent = call.request.max_output_tokens or call.reasoning_tokens
    return body | {"incomplete_details": {"reason": "max_output_tokens"}, "usage": _usage(call, spent, spent)}


def filtered(call: AcceptedRequest) -> Json:
    return incomplete(call) | {"incomplete_details": {"reason": "content_filter"}}


def failed(
    call: AcceptedRequest, code: str = "server_error", message: str = "The model failed to generate a response."
) -> Json:
    error = {"code": code, "message": message}
    return _response(call, "failed", []) | {"error": error}


def _generate_text(call: AcceptedRequest) -> str:
    question, schema = call.request.question, call.request.answer_schema
    random = Random(question)
    if schema is None:
        return _answer(call, random)
    filler = SchemaFiller(schema, lambda random: _answer(call, random), random)
    return json.dumps(filler.fill(schema), ensure_ascii=False)


def _answer(call: AcceptedRequest, random: Random) -> str:
    injection = call.injection or obey(call.request.question)
    return injection.answer(call.request.instructions or "") if injection else reply(call.request.question, random)


def _completed(call: AcceptedRequest, content: Json, length: int) -> Json:
    message = {
        "type": "message",
        "id": call.id.replace("resp_", "msg_"),
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }
    reasoning = call.reasoning_tokens
    usage = _usage(call, length + reasoning, reasoning)
    return _response(call, "completed", [*_reasoning_items(call), message]) | {"usage": usage}


def _reasoning_items(call: AcceptedRequest) -> list[Json]:
    item = {"type": "reasoning", "id": call.id.replace("resp_", "rs_"), "summary": []}
    return [item] if call.reasoning_tokens else []


def _usage(call: AcceptedRequest, output: int, reasoning: int) -> Json:
    return {
        "input_tokens": call.request.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": call.request.input_tokens + output,
    }


def _response(call: AcceptedRequest, status: str, output: list[Json]) -> Json:
    request = call.request
    return {
        "id": call.id,
        "object": "response",
        "created_at": call.created_at,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "metadata": request.metadata or {},
        "model": request.model,
        "output": output,
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": (request.reasoning and request.reasoning.effort) or call.model.effort, "summary": None},
        "safety_identifier": request.safety_identifier,
        "service_tier": "default",
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "text": request.text.model_dump(by_alias=True, exclude_none=True),
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "truncation": request.truncation or "disabled",
        "usage": None,
        **({} if request.user is None else {"user": request.user}),
    }
