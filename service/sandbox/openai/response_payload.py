"""OpenAI's answers: a response, with what the model wrote, or why it did not, and what that took."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from service.sandbox.openai.models import Model
from service.sandbox.openai.reply_texts import reply
from service.sandbox.openai.request_payload import ResponseRequest, count_tokens
from service.sandbox.openai.schema import SchemaFiller

Body = dict[str, Any]
REFUSAL: Final = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A request that was accepted: the id of its response, and Unix seconds at which it came."""

    id: str
    created_at: int
    ask: ResponseRequest
    model: Model


def completed(call: AcceptedRequest) -> Body:
    """Incomplete, and without a word, where it may not take the tokens that it needs."""
    text = _written(call.ask)
    allowed = call.ask.max_output_tokens
    if allowed is not None and count_tokens(text) + call.ask.thinking(call.model) > allowed:
        return incomplete(call)
    return with_text(call, text)


def with_text(call: AcceptedRequest, text: str) -> Body:
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return _answered(call, content, count_tokens(text))


def refused(call: AcceptedRequest) -> Body:
    return _answered(call, {"type": "refusal", "refusal": REFUSAL}, count_tokens(REFUSAL))


def incomplete(call: AcceptedRequest) -> Body:
    body = _response(call, "incomplete", _thought(call))
    spent = call.ask.max_output_tokens or call.ask.thinking(call.model)
    return body | {"incomplete_details": {"reason": "max_output_tokens"}, "usage": _usage(call, spent, spent)}


def failed(call: AcceptedRequest) -> Body:
    error = {"code": "server_error", "message": "The model failed to generate a response."}
    return _response(call, "failed", []) | {"error": error}


def _written(ask: ResponseRequest) -> str:
    random = Random(ask.question)
    schema = ask.schema_of_answer
    if schema is None:
        return reply(ask.question, random)
    filler = SchemaFiller(schema, lambda by: reply(ask.question, by), random)
    return json.dumps(filler.fill(schema), ensure_ascii=False)


def _answered(call: AcceptedRequest, content: Body, length: int) -> Body:
    message = {
        "type": "message",
        "id": call.id.replace("resp_", "msg_"),
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }
    thinking = call.ask.thinking(call.model)
    usage = _usage(call, length + thinking, thinking)
    return _response(call, "completed", [*_thought(call), message]) | {"usage": usage}


def _thought(call: AcceptedRequest) -> list[Body]:
    thought = {"type": "reasoning", "id": call.id.replace("resp_", "rs_"), "summary": []}
    return [thought] if call.ask.thinking(call.model) else []


def _usage(call: AcceptedRequest, output: int, reasoning: int) -> Body:
    return {
        "input_tokens": call.ask.tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": call.ask.tokens + output,
    }


def _response(call: AcceptedRequest, status: str, output: list[Body]) -> Body:
    ask = call.ask
    return {
        "id": call.id,
        "object": "response",
        "created_at": call.created_at,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": ask.instructions,
        "max_output_tokens": ask.max_output_tokens,
        "metadata": ask.metadata or {},
        "model": ask.model,
        "output": output,
        "parallel_tool_calls": ask.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": (ask.reasoning and ask.reasoning.effort) or call.model.effort, "summary": None},
        "safety_identifier": ask.safety_identifier,
        "service_tier": "default",
        "store": ask.store is not False,
        "temperature": 1.0 if ask.temperature is None else ask.temperature,
        "text": ask.text.model_dump(by_alias=True, exclude_none=True),
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0 if ask.top_p is None else ask.top_p,
        "truncation": ask.truncation or "disabled",
        "usage": None,
        "user": ask.user,
    }
