"""What is kept of the metrics: the same by either vocabulary, as sums for plots, and without the console's own requests."""

import json

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from telemetry import semconv
from telemetry.metrics.families import Family, Translator
from telemetry.metrics.mapping import LabelMapping, MetricMapping
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import views
from telemetry.metrics.vocabulary import VOCABULARY
from telemetry.recent.points import family_totals
from telemetry.recent.points.family_totals import FamilyTotals
from telemetry.recent.points.plotted import REQUESTS

OWN = (MetricMapping("drafts_total", "counter", "app.drafts", "Drafts.", (LabelMapping("shop", "shop.name"),)),)


def measured(vocabulary):
    """What an application has measured, as `/metrics` has it."""
    reader = FamilyReader(vocabulary, Translator((*VOCABULARY, *OWN)))
    meter = MeterProvider([reader], views=views()).get_meter("test")
    server = meter.create_histogram(semconv.HTTP_SERVER_DURATION, "s")
    for route, status in (("/a", 200), ("/a", 500), ('/"\\\n', 200), ("/console", 200), ("/console/logs", 200)):
        server.record(0.2, {"http.request.method": "GET", "http.route": route, "http.response.status_code": status})
    server.record(
        0.3, {"http.request.method": "GET", "http.route": "/a", "http.response.status_code": 200, "url.scheme": "x"}
    )
    client = meter.create_histogram(semconv.HTTP_CLIENT_DURATION, "s")
    client.record(1, {semconv.PEER_SERVICE: "ozon", semconv.URL_TEMPLATE: "/v1", semconv.HTTP_STATUS_CODE: 200})
    client.record(2, {semconv.PEER_SERVICE: "ozon", semconv.URL_TEMPLATE: "/v1", semconv.ERROR_TYPE: "ReadTimeout"})
    client.record(2, {semconv.METRIC_OVERFLOW: True})
    jobs = meter.create_counter(semconv.JOB_RUNS)
    jobs.add(3, {semconv.JOB_NAME: "sync", semconv.JOB_STATUS: "success"})
    meter.create_counter("app.drafts").add(2, {"shop.name": "ozon"})
    meter.create_histogram("gen_ai.client.token.usage", "{token}").record(
        9, {"gen_ai.request.model": "m", "gen_ai.token.type": "input", "gen_ai.system": "x"}
    )
    return reader.collect_own()


def totals(vocabulary):
    read = FamilyTotals(OWN, lambda endpoint: endpoint.startswith("/console")).read(measured(vocabulary))
    return {(key.family, *json.loads(key.labels).values()): amount.value for key, amount in read.items()}


@pytest.mark.parametrize("vocabulary", ["service", "otel"])
def test_the_same_is_kept_by_either_vocabulary(vocabulary):
    found = totals(vocabulary)

    requests = "http_request_duration_seconds"
    expected = {
        (requests, "/a", "GET", "200"): 2,
        (requests, "/a", "GET", "500"): 1,
        (requests, '/"\\\n', "GET", "200"): 1,
        (requests, "/console", "GET", "200"): 1,
        (requests, "/console/logs", "GET", "200"): 1,
        (f"{requests} by endpoint, method", "/a", "GET"): 3,
        (f"{requests} by endpoint, method", '/"\\\n', "GET"): 1,
        (f"{requests} by endpoint, method", "/console", "GET"): 1,
        (f"{requests} by endpoint, method", "/console/logs", "GET"): 1,
        (f"{requests} by status", "200"): 3,
        (f"{requests} by status", "500"): 1,
        ("external_api_requests_total", "/v1", "ozon", "200"): 1,
        ("external_api_requests_total", "/v1", "ozon", "timeout"): 1,
        ("external_api_requests_total", "other", "other", "other"): 1,
        ("external_api_requests_total by service, status", "ozon", "200"): 1,
        ("external_api_requests_total by service, status", "ozon", "timeout"): 1,
        ("external_api_requests_total by service, status", "other", "other"): 1,
        ("external_api_duration_seconds", "ozon"): 2,
        ("external_api_duration_seconds", "other"): 1,
        ("scheduler_jobs_total", "sync", "success"): 3,
        ("scheduler_jobs_total by status", "success"): 3,
        ("drafts_total", "ozon"): 2,
        ("gen_ai_client_token_usage", "m", "input"): 1,
    }
    assert found == expected


def test_histograms_have_their_buckets_and_sums():
    read = FamilyTotals().read(measured("service"))

    ((key, amount),) = [(key, each) for key, each in read.items() if '"/a"' in key.labels and '"200"' in key.labels]
    bounds = json.loads(key.bounds)
    assert amount.sum == pytest.approx(0.5)
    assert dict(zip((*bounds, None), amount.buckets, strict=True))[0.25] == 1
    assert sum(amount.buckets) == 2


def test_sums_by_route_are_limited_like_the_series_themselves(monkeypatch):
    monkeypatch.setattr(family_totals, "MAX_SERIES", 2)
    found = FamilyTotals().read(
        [Family(REQUESTS, "counter", "", {f'method="GET",endpoint="/{n}",status="200"': 1 for n in range(5)})]
    )
    by_route = {
        key.labels: amount.value for key, amount in found.items() if key.family == f"{REQUESTS} by endpoint, method"
    }
    assert sorted(by_route.values()) == [1, 1, 3]
    assert sum(by_route.values()) == 5
