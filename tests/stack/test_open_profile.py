"""The profile `open`: what the service sends is read back from the real VictoriaLogs, Jaeger and Prometheus, by id."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.stack.conftest import LONG, Stack
from tests.support.processes import eventually
from tests.support.store_accounts import prometheus_name
from tools.stack import images

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not images.are_stores_built(), reason="VictoriaLogs and Jaeger are not built: make stores"),
]
JAEGER, VICTORIALOGS = "http://127.0.0.1:16686", "http://127.0.0.1:9428"
AS_DOCUMENTED = {
    "COMPOSE_PROFILES": "open",
    "TEMPO_OTLP_ENDPOINT": "http://jaeger:4318",
    "LOKI_OTLP_ENDPOINT": "http://victorialogs:9428/insert/opentelemetry",
    "TRACE_URL_TEMPLATE": "http://127.0.0.1:16686/trace/{trace_id}",
}
ALSO_ON_STDOUT = {"OTEL_METRICS_EXPORTER": "otlp,console", "OTEL_METRIC_EXPORT_INTERVAL": "5000"}
"""What the service says of each metric, to compare with what the store has."""


@pytest.fixture(scope="module")
def opened(stack: Stack) -> Iterator[Stack]:
    """The stack with the profile, and without Tempo and Loki; afterwards as before."""
    stack.project.configure({**AS_DOCUMENTED, **ALSO_ON_STDOUT})
    stack.project.up("--scale=tempo=0", "--scale=loki=0")
    stack.run_a_job()
    yield stack
    stack.project.compose("stop", "jaeger", "victorialogs")
    stack.project.configure({})
    stack.project.up()


def spans(trace: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{JAEGER}/api/traces/{trace}", timeout=30, trust_env=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    return [span for found in answer.json()["data"] for span in found["spans"]]


def lines(query: str) -> list[dict[str, Any]]:
    url = f"{VICTORIALOGS}/select/logsql/query"
    answer = httpx.post(url, data={"query": query, "limit": "0"}, timeout=30, trust_env=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def newest_run(stack: Stack) -> dict[str, Any]:
    run: dict[str, Any] = stack.get("/jobs/status?outcome=success&limit=1")["runs"][0]
    return run


def test_all_containers_are_healthy_and_neither_tempo_nor_loki_runs(opened: Stack):
    states = opened.project.states()

    assert {states["jaeger"], states["victorialogs"]} == {"healthy", "running"}
    assert states.keys() & {"tempo", "loki"} == set()
    assert opened.all_well()


def test_the_trace_of_a_run_is_in_jaeger_by_its_id(opened: Stack):
    run = newest_run(opened)

    found = eventually(lambda: spans(run["trace_id"]), LONG)

    assert {span["traceID"] for span in found} == {run["trace_id"]}
    assert [span for span in found if run["job_name"] in span["operationName"]]


def test_the_log_lines_of_a_run_are_in_victorialogs_by_the_id_of_its_trace(opened: Stack):
    run = newest_run(opened)

    found = eventually(lambda: lines(f"trace_id:={run['trace_id']}"), LONG)

    assert {line["service.name"] for line in found} == {"sovani"}
    assert [line for line in found if run["job_name"] in line["_msg"]]


def exported(stack: Stack) -> list[dict[str, Any]]:
    """The exports of metrics that the scheduler has written to its stdout, each the metrics of a resource."""
    text = stack.engine.tried("logs", stack.project.container("scheduler")["Id"]).stdout
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find('{\n    "resource_metrics"', at)) >= 0:
        try:
            export, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:  # the end of it is still to come
            break
        found += export["resource_metrics"]
    return found


def series(export: dict[str, Any]) -> Counter[str]:
    """How many an export has, by the name in Prometheus."""
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


def test_every_metric_of_the_service_is_in_prometheus_by_the_id_of_its_process(opened: Stack):
    export = eventually(lambda: exported(opened)[-1:], LONG)[0]
    instance, sent = export["resource"]["attributes"]["service.instance.id"], series(export)

    def missing() -> Counter[str]:
        rows = opened.query(f'count by (__name__) ({{instance="{instance}"}})')
        return sent - Counter({row["metric"]["__name__"]: int(row["value"][1]) for row in rows})

    def all_there() -> bool:
        assert missing() == Counter()
        return True

    eventually(all_there, LONG)
    assert len(sent) > 50
