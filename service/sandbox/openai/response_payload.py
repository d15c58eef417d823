"""Responses of OpenAI: the text of the model, or the reason why there is none, and the token usage."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from service.sandbox.openai.models import Model
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
    """

    id: str
    created_at: int
    request: ResponseRequest
    model: Model


def completed(call: AcceptedRequest) -> Json:
    """A complete response; an incomplete one without text if `max_output_tokens` is too small."""
    text = _generate_text(call.request)
    allowed = call.request.max_output_tokens
    if allowed is not None and count_tokens(text) + call.request.reasoning_tokens(call.model) > allowed:
        return incomplete(call)
    return with_text(call, text)


def with_text(call: AcceptedRequest, text: str) -> Json:
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return _completed(call, content, count_tokens(text))


def refused(call: AcceptedRequest) -> Json:
    return _completed(call, {"type": "refusal", "refusal": REFUSAL}, count_tokens(REFUSAL))


def incomplete(call: AcceptedRequest) -> Json:
    body = _response(call, "incomplete", _reasoning_items(call))
    spent = call.request.max_output_tokens or call.request.reasoning_tokens(call.model)
    return body | {"incomplete_details": {"reason": "max_output_tokens"}, "usage": _usage(call, spent, spent)}


def failed(call: AcceptedRequest) -> Json:
    error = {"code": "server_error", "message": "The model failed to generate a response."}
    return _response(call, "failed", []) | {"error": error}


def _generate_text(request: ResponseRequest) -> str:
    random = Random(request.question)
    schema = request.answer_schema
    if schema is None:
        return reply(request.question, random)
    filler = SchemaFiller(schema, lambda random: reply(request.question, random), random)
    return json.dumps(filler.fill(schema), ensure_ascii=False)


def _completed(call: AcceptedRequest, content: Json, length: int) -> Json:
    message = {
        "type": "message",
        "id": call.id.replace("resp_", "msg_"),
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }
    reasoning = call.request.reasoning_tokens(call.model)
    usage = _usage(call, length + reasoning, reasoning)
    return _response(call, "completed", [*_reasoning_items(call), message]) | {"usage": usage}


def _reasoning_items(call: AcceptedRequest) -> list[Json]:
    item = {"type": "reasoning", "id": call.id.replace("resp_", "rs_"), "summary": []}
    return [item] if call.request.reasoning_tokens(call.model) else []


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
        "store": request.store is not False,
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "text": request.text.model_dump(by_alias=True, exclude_none=True),
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "truncation": request.truncation or "disabled",
        "usage": None,
        "user": request.user,
    }
