"""The service, the Collector with otel-collector.yaml as it is, and the real VictoriaLogs, Jaeger and Prometheus behind it."""

import itertools
import re
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support import store_accounts
from tests.support.collector import Collector
from tests.support.deployed_prometheus import DeployedPrometheus
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import Program, Programs, eventually, free_port
from tests.support.real_stores import Jaeger, VictoriaLogs
from tests.support.sandboxed_service import OPS_TOKEN
from tests.support.signal_reference import run_scenario
from tests.support.store_accounts import Account

pytestmark = [pytest.mark.e2e, pytest.mark.stores, pytest.mark.timeout(1200)]
SETTLED_WITHIN = 300.0
"""The longest back-off of the Collector is 30 s; the rest is for a busy machine."""
AWAY = 3.0

APP = """
import logging

from fastapi import HTTPException

from service.main import create_app

app = create_app()
_log = logging.getLogger("shop")


@app.post("/fail/{number}")
def fail(number: int):
    _log.error("It was asked to: %d.", number)
    raise HTTPException(500)
"""


def queued(collector: Collector, exporter: str) -> float:
    found = re.findall(rf"^otelcol_exporter_queue_size{{[^}}]*{exporter}[^}}]*}} (\S+)", collector.page(), re.MULTILINE)
    return sum(map(float, found))


@dataclass(frozen=True)
class Stack:
    """The real stores, the Collector before them, and who notes what the Collector has accepted."""

    programs: Programs
    logs: VictoriaLogs
    traces: Jaeger
    metrics: DeployedPrometheus
    collector: Collector
    accepted: OtlpReceiver
    began: float = field(default_factory=time.time)

    def accounts(self) -> list[Account]:
        return [
            store_accounts.spans(self.accepted, self.traces),
            store_accounts.log_records(self.accepted, self.logs),
            store_accounts.points(self.accepted, self.metrics, self.began),
        ]

    @contextmanager
    def written(self) -> Iterator[None]:
        """VictoriaLogs confirms what it has in memory alone. Nothing comes to it, and all that it has is on its disk."""
        self.accepted.is_unavailable = True
        eventually(lambda: queued(self.collector, "loki") == 0, SETTLED_WITHIN)
        eventually(self.logs.has_written_all)
        yield
        self.accepted.is_unavailable = False

    def settled(self) -> list[Account]:
        """When nothing is missing, or after minutes."""
        found: list[Account] = []

        def is_complete() -> bool:
            found[:] = self.accounts()
            return not any(account.missing for account in found) or time.sleep(1) or False

        try:
            eventually(is_complete, SETTLED_WITHIN)
        except AssertionError:
            return found
        return found


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


@pytest.fixture
def stack(
    programs: Programs, otelcol: Path, deployed_prometheus: Path, victorialogs: Path, jaeger: Path
) -> Iterator[Stack]:
    metrics_port = free_port()
    logs, traces = VictoriaLogs(programs, victorialogs), Jaeger(programs, jaeger)
    metrics = DeployedPrometheus(programs, deployed_prometheus, {"otel-collector": metrics_port}, "1s", OPS_TOKEN)
    collector = Collector(
        programs,
        otelcol,
        "",
        metrics_port,
        LOKI_OTLP_ENDPOINT=logs.otlp,
        TEMPO_OTLP_ENDPOINT=traces.otlp,
        PROMETHEUS_OTLP_ENDPOINT=metrics.otlp,
        TRACES_KEEP_PERCENT="100",
    )
    with otlp_receiver() as accepted:
        accepted.upstream = collector.url
        yield Stack(programs, logs, traces, metrics, collector, accepted)


@dataclass
class Traffic:
    """Requests that fail, each with a trace of its own; `traces` has those that were answered, by their number."""

    service: Program
    traces: dict[int, str] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _run(self) -> None:
        for number in itertools.count():
            trace = secrets.token_hex(16)
            headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
            url = f"{self.service.url}/fail/{number}"
            if (
                httpx.post(url, headers=headers, timeout=60, trust_env=False).status_code
                == httpx.codes.INTERNAL_SERVER_ERROR
            ):
                self.traces[number] = trace
            if self._over.wait(0.1):
                return


def start_service(stack: Stack) -> Program:
    stack.programs.write("shop.py", APP)
    service = stack.programs.uvicorn(
        "shop:app",
        *("--workers", "2"),
        SANDBOX="true",
        SANDBOX_PORT=str(free_port()),
        OTEL_EXPORTER_OTLP_ENDPOINT=stack.accepted.url,
        OTEL_TRACES_SAMPLER_ARG="1.0",
        OTEL_BSP_SCHEDULE_DELAY="300",
        OTEL_BLRP_SCHEDULE_DELAY="300",
        OTEL_METRIC_EXPORT_INTERVAL="1000",
    )
    service.wait_for("/readyz", within=240)
    return service


def test_every_span_log_record_and_point_of_the_service_is_in_the_real_stores(
    stack: Stack, capsys: pytest.CaptureFixture[str]
):
    run_scenario(stack.programs, stack.accepted.url)

    found = stack.settled()

    with capsys.disabled():
        print("\n" + "\n".join(map(str, found)))  # noqa: T201  # to read
    assert [(account.what, account.missing[:10]) for account in found if account.missing] == []
    assert min(account.sent for account in found) > 5


def never_accepted(stack: Stack, traffic: Traffic) -> list[int]:
    """The answered requests whose log line or trace the Collector has not confirmed."""
    lines, traces = stack.accepted.logs(), {span.trace_id.hex() for span in stack.accepted.every_span()}
    return [
        number
        for number, trace in traffic.traces.items()
        if f"It was asked to: {number}." not in lines or trace not in traces
    ]


def test_with_each_store_and_the_collector_stopped_and_killed_in_turn_nothing_is_missing(
    stack: Stack, capsys: pytest.CaptureFixture[str]
):
    service = start_service(stack)
    with Traffic(service) as traffic:
        for program in (stack.logs, stack.traces, stack.metrics, stack.collector):
            for by in (signal.SIGTERM, signal.SIGKILL):
                time.sleep(AWAY)
                with stack.written() if (program, by) == (stack.logs, signal.SIGKILL) else nullcontext():
                    program.stop(by)
                time.sleep(AWAY)
                program.start()
    service.tell(signal.SIGTERM)
    service.exit_code(90)

    found = stack.settled()

    said = [f"{len(traffic.traces)} requests, {len(never_accepted(stack, traffic))} never accepted", *map(str, found)]
    with capsys.disabled():
        print("", *said, sep="\n")  # noqa: T201  # to read
    assert never_accepted(stack, traffic) == []
    assert [(account.what, account.missing[:10]) for account in found if account.missing] == []
    assert min(account.sent for account in found) > 5


def refuse_by_password(programs: Programs, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A VictoriaLogs with a password that the Collector does not have."""
    program = request.getfixturevalue("victorialogs")
    store = VictoriaLogs(programs, program, "-httpAuth.username=other", "-httpAuth.password=other")
    return "LOKI_OTLP_ENDPOINT", store.otlp


def refuse_by_size(programs: Programs, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A Jaeger that accepts next to nothing."""
    limit = "--set=receivers.otlp.protocols.http.max_request_body_size=10"
    return "TEMPO_OTLP_ENDPOINT", Jaeger(programs, request.getfixturevalue("jaeger"), limit).otlp


@pytest.mark.parametrize(
    ("refuse", "exporter", "status"),
    [(refuse_by_password, "otlp_http/loki", 401), (refuse_by_size, "otlp_http/tempo", 400)],
    ids=["password", "size"],
)
def test_a_store_that_refuses_is_named_by_the_log_of_the_collector_and_by_an_alert(
    programs: Programs,
    otelcol: Path,
    deployed_prometheus: Path,
    request: pytest.FixtureRequest,
    refuse,
    exporter,
    status,
):
    metrics_port = free_port()
    prometheus = DeployedPrometheus(programs, deployed_prometheus, {"otel-collector": metrics_port}, "1s", OPS_TOKEN)
    variable, url = refuse(programs, request)
    collector = Collector(programs, otelcol, "http://127.0.0.1:9", metrics_port, **{variable: url})

    if exporter == "otlp_http/loki":
        logs = ExportLogsServiceRequest()
        logs.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "refused"
        collector.send("logs", logs)
    else:
        collector.send_spans()

    said = eventually(collector.dropped)
    assert all(exporter in line and url in line and f"HTTP Status Code {status}" in line for line in said)
    alert = f'ALERTS{{alertname="CollectorGivesUp",exporter="{exporter}",reason="refused"}}'
    eventually(lambda: prometheus.query(alert), within=240)
    assert len(prometheus.query('ALERTS{alertname="CollectorGivesUp"}')) == 1


def test_what_is_small_enough_one_by_one_is_not_refused_for_what_is_sent_with_it(
    programs: Programs, otelcol: Path, jaeger: Path
):
    """After an outage the Collector has much to send at once, and a store's limit is one of bytes."""
    store = Jaeger(programs, jaeger)
    collector = Collector(programs, otelcol, "http://127.0.0.1:9", TEMPO_OTLP_ENDPOINT=store.otlp)
    store.stop(signal.SIGTERM)
    sent = [trace.hex() for _ in range(2) for trace in collector.send_spans(number=300, size=44_000)]

    store.start()

    eventually(lambda: store.span_ids(sent[-1]), SETTLED_WITHIN)
    eventually(lambda: queued(collector, "tempo") == 0, SETTLED_WITHIN)
    assert collector.dropped() == []
    assert [trace for trace in sent if not store.span_ids(trace)] == []
