"""The cost of redaction: for a log line and a span, and of the policy by text."""

import io
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from bench.progress import say
from bench.quartile import lower_quartile
from bench.table import Table
from telemetry.logs.json_formatter import JsonFormatter
from telemetry.logs.text_formatter import TextFormatter
from telemetry.redaction.exporters import redacted_span
from telemetry.redaction.policy import POLICY

ROUNDS, QUICK_ROUNDS = 40, 10
_CALLS = 500
_LENGTH = 8 * 1024
_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"  # that of `TextFormatter`, without redaction
_SECRETS = {
    "TELEGRAM_TOKEN": "7712345678:AAF-one_of_its_own-abcdefghijklmno",
    "WB_API_TOKEN": "eyJhbGciOiJFUzI1NiJ9.eyJpZCI6MX0.c2lnbmF0dXJl",
    "OZON_API_KEY": "3f2b8c1e-9d1a-4a51-8b0b-0a1b2c3d4e5f",
    "OPENAI_API_KEY": "sk-proj-0123456789abcdefghij",
    "OPS_TOKEN": "correct horse battery",
    "password of DATABASE_URL": "p@ss/word-of-shop",
}
_PLAIN = "sync_wb_orders: 120 orders read, 3 new, 117 known, in 0.52 s"
_TEXTS = {
    "a message of 60 characters, nothing to hide": _PLAIN,
    "200 characters, nothing to hide": f"{_PLAIN}; " * 3 + _PLAIN[:14],
    "a URL with a bot's token": f"POST https://api.telegram.org/bot{_SECRETS['TELEGRAM_TOKEN']}/sendMessage 200",
    "a dict with an Authorization": "headers {'Authorization': 'Bearer abc123def456', 'Accept': '*/*'} sent",
}


def tables(_directory: Path, *, quick: bool) -> Iterator[Table]:
    POLICY.add_secrets(_SECRETS)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    yield _policy_table(rounds)
    yield _adversarial_table(rounds)
    yield _comparison_table(rounds)


def _policy_table(rounds: int) -> Table:
    say("redaction", "texts")
    table = Table("The policy, by text", ["", "µs"], f"{len(_SECRETS)} secrets are known, in all of their forms")
    for name, text in {**_TEXTS, "a traceback of 2,000 characters": _traceback()}.items():
        table.add(name, f"{_microseconds(lambda text=text: POLICY.redact_text(text), rounds):.1f}")
    return table


# Parts of patterns: repeated, they are what a client would send to slow the service down.
_ADVERSARIAL = (
    *("://", "http://a:b@", "-----BEGIN ", "eyJeyJeyJeyJeyJ.", "sk-", "gh", "Bearer ", "token", "pwd=a ", 'token="\\'),
    *(
        "?a=",
        "?key=a&",
        "123456:AA",
        "/bot1:a ",
        "Key (",
        "Key (a)=(",
        "[SQL: 1,1,1]\n",
        "4111 1111 1111 1112 ",
        "\x00",
    ),
)


def _adversarial_table(rounds: int) -> Table:
    say("redaction", "adversarial texts")
    table = Table(f"Adversarial texts of {_LENGTH:,} characters", ["", "ns a character"], "each is one part, repeated")
    for unit in _ADVERSARIAL:
        text = (unit * _LENGTH)[:_LENGTH]
        took = _microseconds(lambda text=text: POLICY.redact_text(text), rounds, calls=2)
        table.add(repr(unit), f"{took * 1000 / _LENGTH:.1f}")
    return table


def _traceback() -> str:
    frames = (f'  File "/srv/service/orders/sync.py", line {n}, in step_{n}\n    self.step({n})\n' for n in range(100))
    return ("Traceback (most recent call last):\n" + "".join(frames))[:1980] + "\nValueError: no"


def _comparison_table(rounds: int) -> Table:
    say("redaction", "with and without")
    table = Table("With redaction and without", ["", "without µs", "with µs", "more µs"])
    for name, without, with_it in (
        ("a log line, as text", _logging(logging.Formatter(_FORMAT)), _logging(TextFormatter())),
        (
            "a log line, as JSON, with an extra field",
            _logging(_BareJson(), number=7),
            _logging(JsonFormatter(), number=7),
        ),
        ("a span of a request, encoded for OTLP", _encoding(lambda span: span), _encoding(redacted_span)),
    ):
        bare, redacted = _both(without, with_it, rounds)
        table.add(name, f"{bare:.1f}", f"{redacted:.1f}", f"{redacted - bare:.1f}")
    return table


class _BareJson(JsonFormatter):
    """The same line without redaction."""

    def format(self, record: logging.LogRecord) -> str:
        module = sys.modules[JsonFormatter.__module__]
        original = module.redact, module.redact_value
        module.redact, module.redact_value = _unchanged, _unchanged  # type: ignore[attr-defined]
        try:
            return super().format(record)
        finally:
            module.redact, module.redact_value = original  # type: ignore[attr-defined]


def _unchanged(value: object, _name: str = "") -> object:
    return value


def _logging(formatter: logging.Formatter, **extra: object) -> Callable[[], object]:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(formatter)
    logger = logging.Logger("bench.shop")  # noqa: LOG001  # without any other handler
    logger.addHandler(handler)
    return lambda: logger.info(
        "sync_wb_orders: %d orders read, %d new, %d known, in %.2f s", 120, 3, 117, 0.52, extra=extra
    )


def _encoding(redact: Callable[[ReadableSpan], ReadableSpan]) -> Callable[[], object]:
    span = _span()
    return lambda: encode_spans([redact(span)])


def _span() -> ReadableSpan:
    attributes = {
        "http.request.method": "GET",
        "url.path": "/api/v1/reviews",
        "url.scheme": "http",
        "http.route": "/api/v1/reviews",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    }
    span = (
        TracerProvider(shutdown_on_exit=False)
        .get_tracer("bench")
        .start_span("GET /api/v1/reviews", None, attributes=attributes)
    )
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def _both(without: Callable[[], object], with_it: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Measure in turns, so that a disturbance affects both."""
    rounds_of_both = [(_round(without), _round(with_it)) for _ in range(rounds)]
    return lower_quartile(bare for bare, _ in rounds_of_both), lower_quartile(
        redacted for _, redacted in rounds_of_both
    )


def _microseconds(work: Callable[[], object], rounds: int, calls: int = _CALLS) -> float:
    return lower_quartile(_round(work, calls) for _ in range(rounds))


def _round(work: Callable[[], object], calls: int = _CALLS) -> float:
    """The mean of many calls, in microseconds."""
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - started) / calls * 1e6
