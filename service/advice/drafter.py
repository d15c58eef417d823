"""The drafter: asks OpenAI for an answer to a review, keeps to its pace, and says what became of it and what it cost."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from service import names
from service.advice import prompt
from service.advice.outcomes import DRAFTED, Draft
from service.advice.pricing import Usage, cost_of
from service.advice.prompt import ReviewForPrompt
from service.advice.response import ParsedResponse
from service.instruments import ServiceInstruments
from service.integrations.http.errors import CallError, Unauthorized
from service.integrations.http.rate_limiter import RateLimit, RateLimiter
from service.integrations.http.throttle import Throttle, Wait
from service.integrations.openai.errors import UNSENDABLE_KEY, Failure, QuotaExhausted, failure_of
from service.names import OPENAI
from telemetry import semconv

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


ATTEMPTS: Final = 3
_OPENAI: Final = "OpenAI"
_CHAT: Final = "chat"
_BROKEN: Final = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, eq=False)
class Drafter:
    """Safe in several threads.

    Attributes:
        max_output_tokens: what a model thinks counts as well.
        patience: seconds that a draft may wait for its turn, in all.
    """

    client: "openai.OpenAI"
    model: str
    pace: RateLimiter
    limit: RateLimit
    wait: Wait
    instruments: ServiceInstruments
    max_output_tokens: int = field(default=1000, kw_only=True)
    patience: float = field(default=60.0, kw_only=True)
    tracer: Tracer = field(default_factory=lambda: trace.get_tracer(__name__), kw_only=True)

    def draft(self, subject: ReviewForPrompt, answer_length: int) -> Draft:
        """Ask once, and again where that makes sense: a repeated call costs money only. The answer has `answer_length`
        characters at most.

        Raises:
            QuotaExhausted: there is no sense in going on with other reviews.
            Paused: the next call may begin later than the patience lasts.
            CallError: what OpenAI said, or that it said nothing.
        """
        try:
            draft = self._ask_until_answered(subject, answer_length)
        except CallError as error:
            self._count(subject, names.QUOTA if isinstance(error, QuotaExhausted) else names.ERROR)
            raise
        self._count(subject, draft.outcome)
        if draft.outcome == DRAFTED:
            self.instruments.advice_generated.add(1, {names.MARKETPLACE: subject.marketplace})
        return draft

    def _ask_until_answered(self, subject: ReviewForPrompt, answer_length: int) -> Draft:
        turns, left, attempt = Throttle(_OPENAI, self.pace, self.wait), self.patience, 0
        while True:
            left -= turns.take(self.limit, left)
            attempt += 1
            result = self._attempt(subject, answer_length)
            if isinstance(result, ParsedResponse):
                return self._settle(result)
            turns.heed(self.limit, result.error)
            if not result.again or attempt == ATTEMPTS:
                raise result.error
            left -= turns.back_off(result.error, attempt, left)

    def _attempt(self, subject: ReviewForPrompt, answer_length: int) -> ParsedResponse | Failure:
        attributes = {
            names.GEN_AI_OPERATION: _CHAT,
            names.GEN_AI_PROVIDER: OPENAI,
            names.GEN_AI_REQUEST_MODEL: self.model,
        }
        with self.tracer.start_as_current_span(
            f"{_CHAT} {self.model}", kind=SpanKind.CLIENT, attributes=attributes
        ) as span:
            result = self._call(subject, answer_length)
            _describe(span, result)
        return result

    def _call(self, subject: ReviewForPrompt, answer_length: int) -> ParsedResponse | Failure:
        """What the SDK raises does not leave this function, not even as the context of another error."""
        import openai  # noqa: PLC0415  # see above

        try:
            answer = self.client.responses.create(
                model=self.model,
                instructions=prompt.instructions(answer_length),
                input=prompt.question(subject),
                store=False,
                max_output_tokens=self.max_output_tokens,
                text=prompt.ANSWER_FORMAT,
            )
        except _BROKEN:
            return ParsedResponse.broken()
        except UnicodeEncodeError:
            return Failure(Unauthorized(UNSENDABLE_KEY), again=False)
        except openai.OpenAIError as error:
            return failure_of(error)
        return ParsedResponse.of(answer, answer_length)

    def _settle(self, reply: ParsedResponse) -> Draft:
        model, usage = reply.model or self.model, reply.usage
        cost = cost_of(model, usage) if usage else None
        if usage:
            self._measure(usage)
        if cost is not None:
            self.instruments.cost.add(float(cost), {names.GEN_AI_REQUEST_MODEL: self.model})
        return Draft(
            outcome=reply.verdict.outcome,
            text=reply.verdict.text,
            model=model,
            input_tokens=usage.input if usage else None,
            output_tokens=usage.output if usage else None,
            cost_usd=cost,
            reason=reply.verdict.reason,
        )

    def _measure(self, usage: Usage) -> None:
        for kind, tokens in (("input", usage.input), ("output", usage.output)):
            attributes = {
                names.GEN_AI_OPERATION: _CHAT,
                names.GEN_AI_PROVIDER: OPENAI,
                names.GEN_AI_REQUEST_MODEL: self.model,
                names.GEN_AI_TOKEN_TYPE: kind,
            }
            self.instruments.token_usage.record(tokens, attributes)

    def _count(self, subject: ReviewForPrompt, outcome: str) -> None:
        self.instruments.drafts.add(1, {names.MARKETPLACE: subject.marketplace, names.OUTCOME: outcome})


def _describe(span: Span, result: ParsedResponse | Failure) -> None:
    """Numbers and names, never a text."""
    if isinstance(result, Failure):
        span.set_attribute(semconv.ERROR_TYPE, type(result.error).__name__)
        span.set_status(Status(StatusCode.ERROR, str(result.error)))
        return
    if result.id:
        span.set_attribute(names.GEN_AI_RESPONSE_ID, result.id)
    if result.model:
        span.set_attribute(names.GEN_AI_RESPONSE_MODEL, result.model)
    if result.usage:
        span.set_attribute(names.GEN_AI_INPUT_TOKENS, result.usage.input)
        span.set_attribute(names.GEN_AI_OUTPUT_TOKENS, result.usage.output)
    if result.verdict.outcome != DRAFTED:
        span.set_attribute(semconv.ERROR_TYPE, result.verdict.outcome)
        span.set_status(Status(StatusCode.ERROR))
