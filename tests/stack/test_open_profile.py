"""The profile `open` in real containers, started as documented: the real stores return by id what the service sent to them."""

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.stack.conftest import AUTHORIZED, LONG, Stack, running
from tests.support.how_to_pages import HOW_TO, blocks, commands
from tests.support.processes import eventually
from tests.support.store_accounts import prometheus_name
from tools.stack.project import API

pytestmark = [pytest.mark.stack, pytest.mark.stack_open, pytest.mark.timeout(1200)]
JAEGER, VICTORIALOGS = "http://127.0.0.1:16686", "http://127.0.0.1:9428"
PRODUCTION = HOW_TO / "production.md"
UP = "docker compose up --detach --wait "
JOB = "sync_wb_reviews"
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)[{ ]", re.MULTILINE)
FOR_THE_TEST = {
    # Of requests that are neither slow nor an error, one in ten is kept otherwise.
    "TRACES_KEEP_PERCENT": "100",
    # Each process also prints the metrics that it sends, and does not wait a minute for that.
    "OTEL_METRICS_EXPORTER": "otlp,console",
    "OTEL_METRIC_EXPORT_INTERVAL": "10000",
}


def documented() -> tuple[dict[str, str], list[str]]:
    """What the page says to set in `.env`, and its options of `docker compose up`."""
    [written] = [block.text for block in blocks(PRODUCTION) if block.text.startswith("COMPOSE_PROFILES=")]
    [command] = [line for line in commands(PRODUCTION) if line.startswith(UP)]
    return dict(line.split("=", 1) for line in written.splitlines()), command.removeprefix(UP).split()


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Started from nothing where these tests are the only ones; else what runs is changed by the same steps."""
    variables, options = documented()
    if all(item.get_closest_marker("stack_open") for item in request.session.items):
        with running(tmp_path_factory.mktemp("project"), {**variables, **FOR_THE_TEST}, *options) as stack:
            yield stack
    else:
        shared: Stack = request.getfixturevalue("stack")
        shared.project.configure({**variables, **FOR_THE_TEST})
        shared.project.up(*options)
        yield shared


@dataclass(frozen=True)
class Work:
    """A request that started a job run, and that run as the API has it."""

    trace: str
    run: dict[str, Any]


@pytest.fixture(scope="module")
def work(opened: Stack) -> Work:
    trace = secrets.token_hex(16)
    headers = {**AUTHORIZED, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}

    def started() -> str:
        response = httpx.post(f"{API}/jobs/{JOB}/run", headers=headers, timeout=30, trust_env=False)
        assert response.status_code == httpx.codes.ACCEPTED, response.text  # 409 while the schedule runs it
        return str(response.json()["run_id"])

    def ended() -> dict[str, Any]:
        [run] = [run for run in opened.get(f"/jobs/status?job_name={JOB}")["runs"] if run["run_id"] == run_id]
        assert run["outcome"] == "success", run
        return dict(run)

    run_id = eventually(started, LONG)
    return Work(trace, eventually(ended, LONG))


def spans(trace: str) -> list[dict[str, Any]]:
    """Those that Jaeger has of a trace, each with the name of its service."""
    response = httpx.get(f"{JAEGER}/api/traces/{trace}", timeout=30, trust_env=False)
    assert response.status_code == httpx.codes.OK, response.text
    return [
        {**span, "service": found["processes"][span["processID"]]["serviceName"]}
        for found in response.json()["data"]
        for span in found["spans"]
    ]


def lines(query: str) -> list[dict[str, Any]]:
    """The log records that VictoriaLogs finds."""
    asked = {"query": query, "limit": "0"}
    response = httpx.post(f"{VICTORIALOGS}/select/logsql/query", data=asked, timeout=30, trust_env=False)
    assert response.status_code == httpx.codes.OK, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_all_containers_are_healthy_and_neither_tempo_nor_loki_runs(opened: Stack):
    states = opened.project.states()

    assert opened.all_well()
    assert (states["jaeger"], states["victorialogs"]) == ("healthy", "running")
    assert states.keys() & {"tempo", "loki"} == set()


def test_the_trace_of_a_request_is_in_jaeger_by_its_id(work: Work):
    found = eventually(lambda: spans(work.trace), LONG)

    assert {(span["traceID"], span["service"]) for span in found} == {(work.trace, "sovani")}
    assert [span for span in found if span["operationName"].startswith("POST /jobs/")]


def test_the_trace_of_a_job_run_is_in_jaeger_by_its_id(work: Work):
    def run_spans() -> list[dict[str, Any]]:
        return [span for span in spans(work.run["trace_id"]) if JOB in span["operationName"]]

    found = eventually(run_spans, LONG)

    assert {(span["traceID"], span["service"]) for span in found} == {(work.run["trace_id"], "sovani")}


def test_the_log_line_of_a_request_is_in_victorialogs_by_the_id_of_its_trace(work: Work):
    found = eventually(lambda: lines(f"trace_id:={work.trace}"), LONG)

    assert {(line["trace_id"], line["service.name"]) for line in found} == {(work.trace, "sovani")}
    assert [line for line in found if line["_msg"].startswith(f"Job {JOB} was started by the API")]


def test_every_metric_of_both_parts_of_the_service_is_in_prometheus(
    opened: Stack, work: Work, capsys: pytest.CaptureFixture[str]
):
    """By the name that it has on /metrics, of the container that shows it there."""
    assert work.run
    shown = {
        "sovani:8080": {*SAMPLE.findall(opened.metrics())},
        "scheduler:8080": {*SAMPLE.findall(scheduler_metrics(opened))},
    }

    def all_there() -> bool:
        missing = {instance: names - names_in_prometheus(opened, instance) for instance, names in shown.items()}
        assert not any(missing.values()), missing
        return True

    assert min(map(len, shown.values())) > 50
    assert eventually(all_there, LONG)
    with capsys.disabled():
        print(f"\nmetrics in Prometheus: { ({instance: len(names) for instance, names in shown.items()}) }")  # noqa: T201  # to read


def scheduler_metrics(stack: Stack) -> str:
    """The page of a container that publishes no port."""
    headers = "{'authorization': 'Bearer ' + os.environ['OPS_TOKEN']}"
    request = f"r.Request('http://127.0.0.1:8080/metrics', headers={headers})"
    script = f"import os, urllib.request as r; print(r.urlopen({request}, timeout=10).read().decode())"
    return stack.project.compose("exec", "--no-TTY", "scheduler", "python", "-c", script)


def names_in_prometheus(stack: Stack, instance: str) -> set[str]:
    return {*series_in_prometheus(stack, instance)}


def series_in_prometheus(stack: Stack, instance: str) -> Counter[str]:
    """How many it has of an instance, by their name."""
    rows = stack.query(f'count by (__name__) ({{instance="{instance}"}})')
    return Counter({row["metric"]["__name__"]: int(row["value"][1]) for row in rows})


def exported(stack: Stack) -> list[dict[str, Any]]:
    """The metrics that the scheduler has sent, as it prints them: one item for each export."""
    text = stack.engine.tried("logs", stack.project.container("scheduler")["Id"]).stdout
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find('{\n    "resource_metrics"', at)) >= 0:
        try:
            export, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:  # its end is still to come
            break
        found += export["resource_metrics"]
    return found


def series(export: dict[str, Any]) -> Counter[str]:
    """How many an export has, by their name in Prometheus."""
    found = Counter[str]()
    for each in (metric for scope in export["scope_metrics"] for metric in scope["metrics"]):
        points = each["data"]["data_points"]
        metric = Metric(name=each["name"], unit=each["unit"])
        if "is_monotonic" in each["data"]:
            metric.sum.is_monotonic = each["data"]["is_monotonic"]
        elif points and "bucket_counts" in points[0]:
            metric.histogram.SetInParent()
        else:
            metric.gauge.SetInParent()
        found[prometheus_name(metric)] += len(points)
    return found


def test_every_series_that_a_process_sends_is_in_prometheus_by_the_id_of_the_process(
    opened: Stack, capsys: pytest.CaptureFixture[str]
):
    export = eventually(lambda: exported(opened)[-1:], LONG)[0]
    process, sent = export["resource"]["attributes"]["service.instance.id"], series(export)

    def all_there() -> bool:
        assert not (missing := sent - series_in_prometheus(opened, process)), missing
        return True

    assert len(sent) > 50
    assert eventually(all_there, LONG)
    with capsys.disabled():
        print(f"\nof one process: {len(sent)} metrics, {sent.total()} series")  # noqa: T201  # to read


def test_neither_the_collector_nor_jaeger_logs_an_error(opened: Stack, work: Work):
    """Nor does Jaeger warn, but for the pages that are not in its Go module."""
    eventually(lambda: spans(work.trace), LONG)

    assert [line for line in opened.logs("otel-collector") if "\terror\t" in line] == []
    said = [line for line in opened.logs("jaeger") if re.search(r"\t(?:warn|error)\t", line)]
    assert [line for line in said if "ui assets not embedded" not in line] == []
