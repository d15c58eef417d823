"""Drafts an answer to a review with one call of OpenAI. Limits the rate of calls, and measures them and their cost."""

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import Tracer

from service import names
from service.advice import prompt
from service.advice.call_telemetry import ModelCalls
from service.advice.checks.draft_check import checked
from service.advice.outcomes import DRAFTED, Draft, refusal
from service.advice.pricing import cost_usd
from service.advice.prompt import ReviewForPrompt
from service.advice.response import CUT, ParsedResponse
from service.instruments import ServiceInstruments
from service.integrations.http.errors import CallError, Unauthorized
from service.integrations.http.rate_limiter import RateLimit, RateLimiter
from service.integrations.http.throttle import Throttle, Wait
from service.integrations.openai.errors import (
    UNSENDABLE_KEY,
    EffortRefused,
    FailedCall,
    InputRefused,
    QuotaExhausted,
    classify_error,
    misconfiguration,
)
from service.settings import ReasoningEffort
from telemetry import semconv
from telemetry.costs import charge

if TYPE_CHECKING:  # imported when it is needed: the SDK takes as long to load as half of the service
    import openai


MAX_ATTEMPTS: Final = 3
_OPENAI: Final = "OpenAI"
_DEFAULT_EFFORT: Final = "low"
_BROKEN_JSON_ERRORS: Final = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, eq=False)
class Drafter:
    """Thread-safe.

    Attributes:
        rate_limiter: the limiter that all processes share.
        rate_limit: OpenAI's limit for this account.
        wait: sleeps between calls.
        max_output_tokens: the limit for one call; the tokens of a model's reasoning count. An answer that it cuts is asked
            for once more, with twice as many.
        reasoning_effort: None for `low`, where the model takes it.
        patience: seconds that a draft may wait for the rate limit and for retries, in all.
    """

    client: "openai.OpenAI"
    model: str
    rate_limiter: RateLimiter
    rate_limit: RateLimit
    wait: Wait
    instruments: ServiceInstruments
    max_output_tokens: int = field(default=4000, kw_only=True)
    reasoning_effort: ReasoningEffort | None = field(default=None, kw_only=True)
    patience: float = field(default=60.0, kw_only=True)
    tracer: Tracer = field(
        default_factory=lambda: trace.get_tracer(__name__, schema_url=semconv.SCHEMA_URL), kw_only=True
    )
    _takes_no_effort: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def draft(self, subject: ReviewForPrompt, answer_length: int) -> Draft:
        """Call OpenAI, and again after an error that may pass: a repeated call only costs money.

        Args:
            subject: the review.
            answer_length: characters that the answer may have.

        Returns:
            The draft; with the outcome `refused` if OpenAI refuses this review, `held` if the answer fails a check.

        Raises:
            QuotaExhausted: calls for other reviews would fail, too.
            RateLimited: the next call is allowed later than the patience lasts.
            CallError: OpenAI refused the call, or is not available.
        """
        try:
            draft = checked(self._draft(subject, answer_length), subject, answer_length)
        except InputRefused as error:
            draft = refusal(self.model, error)
        except CallError as error:
            self._count_draft(subject, names.QUOTA if isinstance(error, QuotaExhausted) else names.ERROR)
            raise
        self._count_draft(subject, draft.outcome)
        self._count_checks(draft)
        if draft.outcome == DRAFTED:
            self.instruments.advice_generated.add(1, {names.MARKETPLACE: subject.marketplace})
        return draft

    def _draft(self, subject: ReviewForPrompt, answer_length: int) -> Draft:
        response = self._call_with_retries(subject, answer_length, self.max_output_tokens)
        draft = self._draft_from(response)
        if response.finish_reason != CUT:
            return draft
        try:
            response = self._call_with_retries(subject, answer_length, 2 * self.max_output_tokens)
        except CallError:  # the first call is answered and paid: a cut answer is what came of it
            return draft
        return self._draft_from(response).after(draft)

    def _call_with_retries(self, subject: ReviewForPrompt, answer_length: int, max_tokens: int) -> ParsedResponse:
        throttle, left, attempt = Throttle(_OPENAI, self.rate_limiter, self.wait), self.patience, 0
        while True:
            left -= throttle.acquire(self.rate_limit, left)
            attempt += 1
            result = self._attempt(subject, answer_length, max_tokens)
            if isinstance(result, ParsedResponse):
                return result
            if self._leaves_effort_out(result.error) and attempt < MAX_ATTEMPTS:
                continue
            throttle.apply_retry_after(self.rate_limit, result.error)
            if not result.retryable or attempt == MAX_ATTEMPTS:
                raise result.error
            left -= throttle.back_off(result.error, attempt, left)

    def _leaves_effort_out(self, error: CallError) -> bool:
        """Whether the next calls say nothing of effort. One that the settings ask for is never left out."""
        if not isinstance(error, EffortRefused) or self.reasoning_effort:
            return False
        self._takes_no_effort.set()
        return True

    def _attempt(self, subject: ReviewForPrompt, answer_length: int, max_tokens: int) -> ParsedResponse | FailedCall:
        calls = ModelCalls(self.tracer, self.instruments, self.model, max_tokens)
        with calls.measured(self.client) as call:
            result = self._call(subject, answer_length, max_tokens)
            call.report(result)
        return result

    def _call(self, subject: ReviewForPrompt, answer_length: int, max_tokens: int) -> ParsedResponse | FailedCall:
        """No error of the SDK leaves this function, not even as the context of another error: it may hold the key."""
        import openai  # noqa: PLC0415  # see above

        effort = self.reasoning_effort or (None if self._takes_no_effort.is_set() else _DEFAULT_EFFORT)
        try:
            response = self.client.responses.create(
                model=self.model,
                instructions=prompt.instructions(answer_length),
                input=prompt.question(subject),
                store=False,
                max_output_tokens=max_tokens,
                reasoning={"effort": effort} if effort else openai.omit,
                text=prompt.ANSWER_FORMAT,
            )
        except _BROKEN_JSON_ERRORS:
            return ParsedResponse.broken()
        except UnicodeEncodeError:
            return FailedCall(Unauthorized(UNSENDABLE_KEY), retryable=False)
        except openai.OpenAIError as error:
            return classify_error(error)
        parsed = ParsedResponse.from_sdk(response)
        wrong = misconfiguration(parsed.error_code)
        return FailedCall(wrong, retryable=False) if wrong else parsed

    def _draft_from(self, response: ParsedResponse) -> Draft:
        model, usage = response.model or self.model, response.usage
        cost = cost_usd(model, usage) if usage else None
        if cost is not None:
            charge(float(cost))
            self.instruments.cost.add(float(cost), {names.GEN_AI_REQUEST_MODEL: self.model})
        return Draft(
            outcome=response.verdict.outcome,
            text=response.verdict.text,
            model=model,
            input_tokens=usage.input if usage else None,
            output_tokens=usage.output if usage else None,
            cost_usd=cost,
            reason=response.verdict.reason,
        )

    def _count_draft(self, subject: ReviewForPrompt, outcome: str) -> None:
        self.instruments.drafts.add(1, {names.MARKETPLACE: subject.marketplace, names.OUTCOME: outcome})

    def _count_checks(self, draft: Draft) -> None:
        for reason in draft.failed_checks:
            self.instruments.draft_checks.add(1, {semconv.REASON: reason})
