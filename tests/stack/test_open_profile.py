"""The profile `open` in real containers, started as documented: the real stores return by id what the service sent to them."""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.stack.conftest import AUTHORIZED, LONG, Stack, running
from tests.support.how_to_pages import HOW_TO, blocks, commands
from tests.support.processes import eventually
from tools.stack.project import API

pytestmark = [pytest.mark.stack, pytest.mark.stack_open, pytest.mark.timeout(1200)]
JAEGER, VICTORIALOGS = "http://127.0.0.1:16686", "http://127.0.0.1:9428"
PRODUCTION = HOW_TO / "production.md"
UP = "docker compose up --detach --wait "
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)[{ ]", re.MULTILINE)
KEEP_ALL = {"TRACES_KEEP_PERCENT": "100"}
"""A request that is neither slow nor an error is otherwise one of ten."""


def documented() -> tuple[dict[str, str], list[str]]:
    """What the page says to set in `.env`, and its options of `docker compose up`."""
    [written] = [block.text for block in blocks(PRODUCTION) if block.text.startswith("COMPOSE_PROFILES=")]
    [command] = [line for line in commands(PRODUCTION) if line.startswith(UP)]
    return dict(line.split("=", 1) for line in written.splitlines()), command.removeprefix(UP).split()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    variables, options = documented()
    with running(tmp_path_factory.mktemp("project"), {**variables, **KEEP_ALL}, *options) as stack:
        stack.run_a_job()
        yield stack


def newest_run(stack: Stack) -> dict[str, Any]:
    run: dict[str, Any] = stack.get("/jobs/status?status=success&limit=1")["runs"][0]
    return run


@pytest.fixture(scope="module")
def requested(opened: Stack) -> str:
    """The trace id of a request."""
    trace = secrets.token_hex(16)
    headers = {**AUTHORIZED, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    response = httpx.get(f"{API}/api/v1/reviews?limit=1", headers=headers, timeout=10, trust_env=False)
    assert response.status_code == httpx.codes.OK, response.text
    return trace


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


def test_the_trace_of_a_request_is_in_jaeger_by_its_id(requested: str):
    found = eventually(lambda: spans(requested), LONG)

    assert {(span["traceID"], span["service"]) for span in found} == {(requested, "sovani")}
    assert "GET /api/v1/reviews" in {span["operationName"] for span in found}


def test_the_trace_of_a_job_run_is_in_jaeger_by_its_id(opened: Stack):
    run = newest_run(opened)

    found = eventually(lambda: spans(run["trace_id"]), LONG)

    assert {(span["traceID"], span["service"]) for span in found} == {(run["trace_id"], "sovani")}
    assert [span for span in found if run["job_name"] in span["operationName"]]


def test_the_log_line_of_a_request_is_in_victorialogs_by_the_id_of_its_trace(requested: str):
    found = eventually(lambda: lines(f"trace_id:={requested}"), LONG)

    assert {(line["trace_id"], line["service.name"]) for line in found} == {(requested, "sovani")}
    assert [line for line in found if "/api/v1/reviews?limit=1" in line["_msg"]]


def test_the_log_lines_of_a_job_run_are_in_victorialogs_by_the_id_of_its_trace(opened: Stack):
    run = newest_run(opened)

    found = eventually(lambda: lines(f"trace_id:={run['trace_id']}"), LONG)

    assert {(line["trace_id"], line["service.name"]) for line in found} == {(run["trace_id"], "sovani")}


def test_every_metric_of_both_parts_of_the_service_is_in_prometheus(opened: Stack):
    """By the name that it has on /metrics, of the container that shows it there."""
    pages = {"sovani:8080": opened.metrics(), "scheduler:8080": scheduler_metrics(opened)}

    def missing() -> dict[str, set[str]]:
        return {
            instance: {*SAMPLE.findall(page)} - names_in_prometheus(opened, instance)
            for instance, page in pages.items()
        }

    def all_there() -> bool:
        assert not any(missing().values()), missing()
        return True

    assert min(len({*SAMPLE.findall(page)}) for page in pages.values()) > 100
    assert eventually(all_there, LONG)


def scheduler_metrics(stack: Stack) -> str:
    """The page of a container that publishes no port."""
    script = (
        "import os, urllib.request as r; "
        "q = r.Request('http://127.0.0.1:8080/metrics', headers={'authorization': 'Bearer ' + os.environ['OPS_TOKEN']}); "
        "print(r.urlopen(q, timeout=10).read().decode())"
    )
    return stack.project.compose("exec", "--no-TTY", "scheduler", "python", "-c", script)


def names_in_prometheus(stack: Stack, instance: str) -> set[str]:
    return {row["metric"]["__name__"] for row in stack.query(f'count by (__name__) ({{instance="{instance}"}})')}


def test_the_metrics_that_the_service_sends_are_in_prometheus_by_the_id_of_their_process(opened: Stack):
    """Each process that sends metrics by OTLP is an instance of its own."""
    [trace] = {newest_run(opened)["trace_id"]}
    process = eventually(lambda: lines(f"trace_id:={trace}"), LONG)[0]["service.instance.id"]

    assert eventually(lambda: names_in_prometheus(opened, process), LONG)


def test_the_collector_logs_no_error(opened: Stack, requested: str):
    eventually(lambda: spans(requested), LONG)

    assert [line for line in opened.logs("otel-collector") if "\terror\t" in line] == []
