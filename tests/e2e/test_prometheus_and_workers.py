"""The real Prometheus reads the page of four workers for a minute in which they are killed: no counter is reset, and traces are kept."""

import os
import re
import threading
import time
from typing import Final

import httpx
import pytest

from tests.support.processes import Programs
from tests.support.worker_consistency import ConsistencyCheck, kill_one

SECONDS: Final = float(os.environ.get("TRUTH_SECONDS", "60"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(SECONDS + 120)]


def asked(url: str, query: str) -> dict[str, float]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=20, trust_env=False).json()
    return {str(each["metric"]): float(each["value"][1]) for each in answer["data"]["result"]}


def exemplars(url: str, query: str) -> set[str]:
    """The traces that Prometheus keeps beside the buckets of the last minutes."""
    now = time.time()
    span = {"query": query, "start": str(now - SECONDS - 60), "end": str(now)}
    found = httpx.get(f"{url}/api/v1/query_exemplars", params=span, timeout=20, trust_env=False).json()["data"]
    return {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}


def test_prometheus_sees_no_counter_reset_while_workers_are_killed(programs: Programs, scrape, capsys):
    service = programs.uvicorn("service.main:app", "--workers", "4", SCHEDULER="false", OTEL_TRACES_SAMPLER="always_on")
    service.wait_for("/readyz", within=60)
    server = scrape(service, "--enable-feature=exemplar-storage")
    check = ConsistencyCheck(service)

    watching = threading.Thread(target=check.run, args=(SECONDS, kill_one, 4.0))
    watching.start()
    watching.join()

    window = f"[{int(SECONDS) + 30}s]"
    names = httpx.get(f"{server.url}/api/v1/label/__name__/values", timeout=20, trust_env=False).json()["data"]
    counters = [name for name in names if name.endswith(("_total", "_count", "_sum", "_bucket"))]
    resets = {
        f"{name}{labels}": number
        for name in counters
        for labels, number in asked(server.url, f'resets({name}{{job="sovani"}}{window})').items()
    }
    up = asked(server.url, f'count_over_time(up{{job="sovani"}}{window})')
    traces = exemplars(server.url, 'http_request_duration_seconds_bucket{endpoint="/jobs/stats/{job_name}"}')
    with capsys.disabled():
        print(f"\n{len(resets)} series, {len(check.kills)} kills, {sum(resets.values()):g} resets")  # noqa: T201  # to read
    assert len(check.kills) >= 5
    assert len(resets) > 100
    assert {series: number for series, number in resets.items() if number} == {}
    assert traces
    assert all(re.fullmatch(r"[0-9a-f]{32}", trace) for trace in traces)
    assert sum(up.values()) > SECONDS / 2
