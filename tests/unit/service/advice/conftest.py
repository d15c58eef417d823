"""A stub of OpenAI on loopback: sends scripted responses one after the other, and records the requests."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.advice.drafter import Drafter
from service.advice.prompt import ReviewForPrompt
from service.instruments import METRIC_MAPPINGS, ServiceInstruments
from service.integrations.http.rate_limiter import RateLimit, Reservation
from service.integrations.openai.client import make_client
from telemetry.metrics.families import Translator

KEY = "sk-proj-canary0123456789wxyz"
MODEL = "gpt-5.4-mini"
LIMIT = RateLimit("openai", interval=0.0)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class OpenAI:
    """`answer` and `refuse` add to the script; the last response is repeated."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._script: list[Answer] = []

    def send(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._script.append(Answer(status, body, content_type, named))

    def answer(self, text: str | None = '{"answer": "Спасибо!"}', **fields: Any) -> None:
        """A response like a real one, with the given fields replaced."""
        self.send(200, json.dumps(response(text) | fields).encode())

    def refuse(
        self, status: int, code: str | None = None, error: Mapping[str, Any] | None = None, **headers: str
    ) -> None:
        said = {"message": "It says no.", "type": "invalid_request_error", "param": None, "code": code}
        self.send(status, json.dumps({"error": said | dict(error or {})}).encode(), **headers)

    def next(self) -> Answer:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


def response(text: str | None) -> dict[str, Any]:
    content = [] if text is None else [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "id": "resp_01",
        "object": "response",
        "created_at": 1_795_430_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": MODEL,
        "output": [
            {"type": "reasoning", "id": "rs_01", "summary": []},
            {"type": "message", "id": "msg_01", "status": "completed", "role": "assistant", "content": content},
        ],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 0},
            "output_tokens": 100,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1100,
        },
    }


def make_handler(openai: OpenAI) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            openai.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            openai.keys.append(self.headers["authorization"])
            answer = openai.next()
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def openai() -> OpenAI:
    return OpenAI()


@pytest.fixture
def openai_url(openai: OpenAI) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(openai))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join(5)
    assert not thread.is_alive()


class UnlimitedRateLimiter:
    """Grants every call at once, and records the blocks."""

    def __init__(self) -> None:
        self.blocks: list[float] = []

    def reserve(self, limit: RateLimit, patience: float) -> Reservation:
        return Reservation(0.0, granted=True)

    def block(self, limit: RateLimit, seconds: float) -> None:
        self.blocks.append(seconds)


class Waits(list):
    """Does not wait; records for how long it should have, and why."""

    def __call__(self, seconds: float, reason: str) -> None:
        self.append((seconds, reason))


@pytest.fixture
def rate_limiter() -> UnlimitedRateLimiter:
    return UnlimitedRateLimiter()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def instruments(reader: InMemoryMetricReader) -> ServiceInstruments:
    return ServiceInstruments.create(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))


@pytest.fixture
def counted(reader, instruments):
    """The series of a metric family that are not zero, by their labels."""

    def read(family):
        data = reader.get_metrics_data()
        metrics = [metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]
        found = {each.name: each for each in Translator(METRIC_MAPPINGS).translate(metrics)}[family]
        return {labels: value for labels, value in found.series.items() if value}

    return read


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def make_drafter(openai_url, rate_limiter, waits, instruments, spans):
    """Makes drafters with the defaults above."""
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    clients = []

    def make(
        model=MODEL,
        key=KEY,
        url=openai_url,
        rate_limiter=rate_limiter,
        limit=LIMIT,
        wait=waits,
        deadline=10.0,
        **options,
    ):
        clients.append(make_client(key, url, deadline))
        tracer = tracers.get_tracer("tests")
        return Drafter(clients[-1], model, rate_limiter, limit, wait, instruments, tracer=tracer, **options)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def draft(make_drafter):
    """Drafts one answer to a review, with a new drafter."""

    def once(subject=None, answer_length=1000, **options):
        return make_drafter(**options).draft(subject or a_subject(), answer_length)

    return once


@pytest.fixture
def make_subject():
    return a_subject


def a_subject(**fields):
    known = {
        "marketplace": "wb",
        "rating": 2,
        "text": "Маломерит, пришлось вернуть",
        "pros": "Мягкая ткань",
        "cons": "Размер",
        "product_name": "Пижама хлопок",
    }
    return ReviewForPrompt(**known | fields)
