"""The span, the duration and the tokens of one call of a model, by OpenTelemetry's conventions for generative AI."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from service import names
from service.advice.outcomes import DRAFTED
from service.advice.pricing import TokenUsage
from service.advice.response import ParsedResponse
from service.instruments import ServiceInstruments
from service.integrations.openai.errors import FailedCall
from service.names import OPENAI
from telemetry import semconv

if TYPE_CHECKING:  # imported when it is needed: the SDK takes as long to load as half of the service
    import openai


_CHAT: Final = "chat"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
Attributes = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """Measures the calls of one model."""

    tracer: Tracer
    instruments: ServiceInstruments
    model: str
    max_output_tokens: int

    @contextmanager
    def measured(self, client: "openai.OpenAI") -> Generator["MeasuredCall"]:
        """Measure one call. The caller reports its result to the object that this yields."""
        call = MeasuredCall(self._attributes(client))
        requested = {
            **call.attributes,
            names.GEN_AI_MAX_TOKENS: self.max_output_tokens,
            names.GEN_AI_OUTPUT_TYPE: "json",
            names.OPENAI_API_TYPE: "responses",
        }
        with self.tracer.start_as_current_span(
            f"{_CHAT} {self.model}", kind=SpanKind.CLIENT, attributes=requested
        ) as span:
            try:
                yield call
            except BaseException as error:
                call.outcome[semconv.ERROR_TYPE] = type(error).__name__
                raise
            finally:
                self._record(call)
                call.describe(span)

    def _attributes(self, client: "openai.OpenAI") -> Attributes:
        url = client.base_url
        return {
            names.GEN_AI_OPERATION: _CHAT,
            names.GEN_AI_PROVIDER: OPENAI,
            names.GEN_AI_REQUEST_MODEL: self.model,
            semconv.SERVER_ADDRESS: url.host,
            semconv.SERVER_PORT: url.port or _DEFAULT_PORTS.get(url.scheme, 0),
        }

    def _record(self, call: "MeasuredCall") -> None:
        model = {names.GEN_AI_RESPONSE_MODEL: call.model} if call.model else {}
        answered = {**call.attributes, **model}
        self.instruments.model_call_duration.record(call.seconds(), {**answered, **call.outcome})
        if usage := call.usage:
            for token_type, tokens in (("input", usage.input), ("output", usage.output)):
                self.instruments.token_usage.record(tokens, {**answered, names.GEN_AI_TOKEN_TYPE: token_type})


@dataclass(slots=True)
class MeasuredCall:
    """One call. `outcome` has the `error.type` of one that failed."""

    attributes: Attributes
    outcome: Attributes = field(default_factory=dict)
    result: ParsedResponse | FailedCall | None = None
    _started: float = field(default_factory=perf_counter)

    def report(self, result: ParsedResponse | FailedCall) -> None:
        self.result = result
        if isinstance(result, FailedCall):
            self.outcome[semconv.ERROR_TYPE] = type(result.error).__name__
        elif result.verdict.outcome != DRAFTED:
            self.outcome[semconv.ERROR_TYPE] = result.verdict.outcome

    def seconds(self) -> float:
        return perf_counter() - self._started

    @property
    def model(self) -> str:
        return self.result.model if isinstance(self.result, ParsedResponse) else ""

    @property
    def usage(self) -> TokenUsage | None:
        return self.result.usage if isinstance(self.result, ParsedResponse) else None

    def describe(self, span: Span) -> None:
        """Only ids, names and numbers: no text of a review or an answer gets into a span."""
        span.set_attributes(self.outcome)
        if isinstance(self.result, ParsedResponse):
            _describe_response(span, self.result)
        if self.outcome and self.result is not None:
            error = str(self.result.error) if isinstance(self.result, FailedCall) else None
            span.set_status(Status(StatusCode.ERROR, error))


def _describe_response(span: Span, response: ParsedResponse) -> None:
    if response.id:
        span.set_attribute(names.GEN_AI_RESPONSE_ID, response.id)
    if response.model:
        span.set_attribute(names.GEN_AI_RESPONSE_MODEL, response.model)
    if response.finish_reason:
        span.set_attribute(names.GEN_AI_FINISH_REASONS, [response.finish_reason])
    if usage := response.usage:
        span.set_attribute(names.GEN_AI_INPUT_TOKENS, usage.input)
        span.set_attribute(names.GEN_AI_OUTPUT_TOKENS, usage.output)
        if usage.cache_read:
            span.set_attribute(names.GEN_AI_CACHE_READ_TOKENS, usage.cache_read)
