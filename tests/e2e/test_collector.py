"""The real Collector with otel-collector.yaml, between the service with two workers and stores on loopback."""

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deploy.generate.catalogue import AROUND
from tests.support.collector import Collector
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import Program, Programs, eventually, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
AWAY = 60.0
"""Seconds that the stores are away."""

APP = """
import logging
import time

from fastapi import HTTPException
from opentelemetry import trace

from service.main import create_app
from telemetry.jobs import monitor_job

app = create_app()
_log = logging.getLogger("shop")


@app.post("/fail/{number}")
def fail(number: int):
    _log.error("It was asked to: %d.", number)
    raise HTTPException(500)


@app.post("/fine/{number}")
def fine(number: int):
    return {"number": number}


@app.post("/long")
def run_for_long():
    with monitor_job("sync_something"):
        with trace.get_tracer("shop").start_as_current_span("early"):
            pass
        time.sleep(3)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


@pytest.fixture
def store() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as store:
        yield store


Start = Callable[..., tuple[Collector, Program]]


@pytest.fixture
def start(programs: Programs, otelcol: Path, store: OtlpReceiver) -> Start:
    """The Collector, and the service with two workers that sends to it."""

    def both(**environment: str) -> tuple[Collector, Program]:
        collector = Collector(programs, otelcol, store.url, **environment)
        programs.write("shop.py", APP)
        service = programs.uvicorn(
            "shop:app",
            "--workers",
            "2",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_TRACES_SAMPLER_ARG="1.0",
            OTEL_BSP_SCHEDULE_DELAY="300",
            OTEL_BLRP_SCHEDULE_DELAY="300",
            OTEL_METRIC_EXPORT_INTERVAL="1000",
        )
        service.wait_for("/readyz")
        return collector, service

    return both


def ask(service: Program, path: str) -> int:
    return httpx.post(f"{service.url}{path}", timeout=30, trust_env=False).status_code


def test_a_request_is_one_trace_in_traces_metrics_and_logs(start: Start, store: OtlpReceiver):
    _, service = start()

    assert ask(service, "/fail/1") == 500

    def trace_ids() -> tuple[set[bytes], set[bytes], set[bytes]]:
        return (
            {span.trace_id for span in store.every_span() if span.name == "POST /fail/{number}"},
            {store.logs()["It was asked to: 1."].trace_id} if "It was asked to: 1." in store.logs() else set(),
            {
                exemplar.trace_id
                for metric in store.every_metric()
                if metric.name == "http.server.request.duration"
                for point in metric.histogram.data_points
                for exemplar in point.exemplars
            },
        )

    def same() -> set[bytes]:
        traces, logs, metrics = trace_ids()
        return traces & logs & metrics

    assert len(eventually(same)) == 1


def test_what_is_kept_of_traces_is_errors_slow_ones_whole_runs_and_a_share(start: Start, store: OtlpReceiver):
    _, service = start(TRACES_KEEP_PERCENT="0", TRACES_SLOW_MS="2000")

    statuses = [ask(service, path) for path in ("/fine/1", "/fine/2", "/fail/1", "/long", "/fine/3")]

    assert statuses == [200, 200, 500, 200, 200]
    eventually(lambda: {"POST /fail/{number}", "POST /long", "job sync_something", "early"} <= store.spans().keys())
    time.sleep(2)
    assert "POST /fine/{number}" not in store.spans()
    run = store.spans()["job sync_something"]
    assert store.spans()["early"].trace_id == run.trace_id
    assert run.trace_state == "job=run"


def test_a_share_of_the_rest_is_kept(start: Start, store: OtlpReceiver):
    _, service = start(TRACES_KEEP_PERCENT="50")

    for number in range(60):
        ask(service, f"/fine/{number}")
    ask(service, "/fail/1")

    eventually(lambda: "POST /fail/{number}" in store.spans())
    time.sleep(2)
    kept = [span for span in store.every_span() if span.name == "POST /fine/{number}"]
    assert 10 < len(kept) < 50


def test_with_the_stores_away_for_a_minute_and_the_collector_killed_in_it_nothing_is_missing(
    start: Start, store: OtlpReceiver, capsys: pytest.CaptureFixture[str]
):
    collector, service = start()
    numbers, stop, failed = itertools.count(), threading.Event(), []

    def traffic() -> None:
        while not stop.is_set():
            number = next(numbers)
            if ask(service, f"/fail/{number}") == 500:
                failed.append(number)
            stop.wait(0.05)

    client = threading.Thread(target=traffic)
    client.start()
    try:
        time.sleep(3)
        store.is_unavailable = True
        began = time.monotonic()
        time.sleep(AWAY / 2)
        collector.kill()
        time.sleep(AWAY / 4)
        collector.start()
        time.sleep(max(0.0, began + AWAY - time.monotonic()))
        store.is_unavailable = False
        time.sleep(3)
    finally:
        stop.set()
        client.join(30)

    def missing() -> dict[str, int]:
        logs = store.logs()
        spans = [span for span in store.every_span() if span.name == "POST /fail/{number}"]
        counted = Counter[str]()
        for metric in store.every_metric():
            if metric.name == "http.server.request.duration":
                for point in metric.histogram.data_points:
                    of = {pair.key: pair.value.string_value for pair in point.attributes}
                    if of.get("http.route") == "/fail/{number}":
                        counted[str(point.start_time_unix_nano)] = max(
                            counted[str(point.start_time_unix_nano)], point.count
                        )
        return {
            "logs": sum(f"It was asked to: {number}." not in logs for number in failed),
            "traces": len(failed) - len({span.trace_id for span in spans}),
            "counted": len(failed) - sum(counted.values()),
        }

    found: dict[str, int] = {}

    def nothing() -> bool:
        found.clear()
        found.update(missing())
        return not any(found.values())

    try:
        eventually(nothing, 90)
    except AssertionError:
        pytest.fail(f"of {len(failed)}: {found}")
    with capsys.disabled():
        print(f"\n{len(failed)} errors through a minute without stores and a killed Collector; missing: {found}")  # noqa: T201


OUTAGE = 20.0
"""Seconds that the Collector itself is away: twice as long as an exporter of the SDK tries."""
WRITER = """
import itertools
import logging
import time
from pathlib import Path

from opentelemetry import trace

import telemetry

telemetry.start()
tracer = trace.get_tracer("writer")
for number in itertools.count():
    with tracer.start_as_current_span(f"span {number}"):
        logging.getLogger("writer").error("line %d", number)
    if Path("stop").exists():
        break
    time.sleep(0.1)
telemetry.shutdown()
Path("written").write_text(str(number + 1))
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_with_the_collector_killed_for_longer_than_an_exporter_tries_nothing_is_missing(
    programs: Programs, otelcol: Path, store: OtlpReceiver, protocol: str
):
    grpc = free_port()
    collector = Collector(programs, otelcol, store.url, TRACES_KEEP_PERCENT="100", COLLECTOR_GRPC_PORT=str(grpc))
    writer = programs.start_command(
        sys.executable,
        str(programs.write("writer.py", WRITER)),
        port=free_port(),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{grpc}" if protocol == "grpc" else collector.url,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_TRACES_SAMPLER_ARG="1.0",
        OTEL_BSP_SCHEDULE_DELAY="300",
        OTEL_BLRP_SCHEDULE_DELAY="300",
    )
    eventually(lambda: "line 10" in store.logs(), 60)

    collector.kill()
    time.sleep(OUTAGE)
    collector.start()
    time.sleep(1)
    programs.write("stop", "")

    assert writer.exit_code() == 0, writer.said()
    numbers = range(int(programs.home.joinpath("written").read_text()))
    assert len(numbers) > 50
    eventually(lambda: {f"line {number}" for number in numbers} <= store.logs().keys(), 90)
    eventually(lambda: {f"span {number}" for number in numbers} <= store.spans().keys(), 90)


def test_what_waited_for_a_store_is_sent_in_requests_that_it_accepts(
    programs: Programs, otelcol: Path, store: OtlpReceiver
):
    """A limit of a store is one of bytes: 20 MiB is that of Tempo and of Jaeger, and of the Collector's own receiver."""
    store.max_bytes = 20 * 2**20
    store.is_unavailable = True
    collector = Collector(programs, otelcol, store.url)
    sent = {trace for _ in range(2) for trace in collector.send_spans(number=300, size=44_000)}

    store.is_unavailable = False

    eventually(lambda: sent <= {span.trace_id for span in store.every_span()} or collector.dropped(), 240)
    assert collector.dropped() == []


def test_secrets_that_somebody_else_sends_do_not_get_through(programs: Programs, otelcol: Path, store: OtlpReceiver):
    secrets = [
        "Bearer abcdefgh12345678",
        "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
        "sk-proj-abcdefghijklmnop1234",
        "postgresql://user:hunter2hunter2@host/name",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "password=hunter2hunter2",
    ]
    collector = Collector(programs, otelcol, store.url)
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    records = logs.resource_logs.add().scope_logs.add().log_records
    spans = traces.resource_spans.add().scope_spans.add().spans
    for number, secret in enumerate(secrets):
        record = records.add()
        record.body.string_value = f"it was {secret}"
        record.attributes.add(key="said").value.string_value = secret
        span = spans.add(trace_id=bytes([number + 1] * 16), span_id=bytes([number + 1] * 8), name="call")
        span.attributes.add(key="said").value.string_value = f"it was {secret}"
        span.attributes.add(key="authorization").value.string_value = "opaque-value-of-its-own"
        span.events.add(name="exception").attributes.add(key="exception.message").value.string_value = secret
        span.status.code = 2

    collector.send("traces", traces)
    collector.send("logs", logs)

    eventually(lambda: len(store.every_span()) == len(secrets) and len(store.logs()) > 1)
    text = "".join(map(str, store.every_span())) + "".join(map(str, store.logs().values()))
    assert [secret for secret in secrets if secret in text] == []
    assert "hunter2hunter2" not in text
    assert "opaque-value-of-its-own" not in text


def test_what_dashboards_ask_of_the_collector_is_on_its_page(start: Start, store: OtlpReceiver):
    collector, service = start()
    ask(service, "/fail/1")
    eventually(lambda: store.paths() == {"/v1/traces", "/v1/metrics", "/v1/logs"})
    asked = {name for name in AROUND if name.startswith("otelcol_")}
    # What has not happened is not on it yet.
    not_yet = {name for name in asked if "_failed_" in name or "_refused_" in name}

    eventually(lambda: not (asked - not_yet - {line.partition("{")[0] for line in collector.page().splitlines()}))
