"""The pages of requests, calls and the telemetry itself, by requests to an application that has figures."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
from telemetry import console, semconv
from telemetry.console.pages.figures import is_failure
from telemetry.metrics import LabelMapping, MetricMapping
from telemetry.options import TelemetryOptions
from telemetry.settings import TelemetrySettings

SERVICE = LabelMapping("service", semconv.PEER_SERVICE)
MAPPINGS = (
    MetricMapping(
        "external_api_wait_seconds_total", "counter", "waits", "", (SERVICE, LabelMapping("reason", "reason"))
    ),
    MetricMapping("openai_cost_usd_total", "counter", "cost", "", (LabelMapping("model", "model"),)),
    MetricMapping("rate_limited_until_timestamp_seconds", "gauge", "until", "", (SERVICE,), gauge_mode="newest"),
)
NOT_KEPT = "No request to GET /nothing was counted in the last 14 days"


def application():
    app = FastAPI(title="shop")

    @app.get("/items/{item}")
    def read_item(item: int):
        return {"item": item}

    @app.get("/broken")
    def fail():
        raise RuntimeError("broken")

    return app


def count_calls(meter):
    calls = meter.create_histogram(semconv.HTTP_CLIENT_DURATION, "s")
    for status in (200, 200, 429):
        calls.record(
            0.2, {semconv.PEER_SERVICE: "ozon", semconv.URL_TEMPLATE: "/v1/<i>", semconv.HTTP_STATUS_CODE: status}
        )
    calls.record(9, {semconv.PEER_SERVICE: "wb", semconv.URL_TEMPLATE: "/v2", semconv.ERROR_TYPE: "ReadTimeout"})
    meter.create_counter("waits").add(12.5, {semconv.PEER_SERVICE: "ozon", "reason": "backoff"})
    meter.create_counter("cost").add(0.0123, {"model": "gpt"})
    meter.create_gauge("until").set(4e9, {semconv.PEER_SERVICE: "ozon"})
    meter.create_histogram("gen_ai.client.token.usage", "{token}").record(
        1234, {"gen_ai.request.model": "gpt", "gen_ai.token.type": "input"}
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    app = application()
    settings = TelemetrySettings(
        data_dir=data, log_dir=data, database_url=f"sqlite:///{data}/app.db", telemetry_alerts=False
    )
    running = telemetry.start(app=app, settings=settings, options=TelemetryOptions(metric_mappings=MAPPINGS))
    telemetry.create_tables(running.engine)
    console.mount(app)
    client = TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 1), raise_server_exceptions=False)
    client.get("/console")
    running.recent._sampler.sample()
    for number in range(7):
        client.get(f"/items/{number}")
    client.get("/items/x")
    client.get("/broken")
    count_calls(running.meter("test"))
    running.recent._sampler.sample()
    yield client
    telemetry.shutdown()


def texts(page):
    """The cells of its tables, row by row, without marks."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def row_of(page, first):
    return next(row for row in texts(page) if row and row[0] == first)


def test_a_row_for_each_route_with_what_was_counted(client):
    page = client.get("/console/requests").text

    assert row_of(page, "GET /items/{item}")[1] == "8"
    assert row_of(page, "GET /items/{item}")[3] == "0 %"
    assert row_of(page, "GET /broken")[1:4:2] == ["1", "100 %"]
    assert "GET /console" not in page
    assert "GET /console" in client.get("/console/requests?own=1").text


@pytest.mark.parametrize("sort", ["route", "count", "rate", "errors", "p50", "p95", "p99", "nonsense"])
def test_routes_are_sorted_by_any_column(client, sort):
    page = client.get(f"/console/requests?sort={sort}").text

    routes = [row[0] for row in texts(page) if row and row[0].startswith("GET ")]
    if not sort.startswith("p"):
        assert routes[0] == ("GET /broken" if sort in {"route", "errors"} else "GET /items/{item}")
    assert len(routes) == 2
    assert page.count("aria-sort") == 1
    assert ("is none of" in page) == (sort == "nonsense")


def test_routes_are_found_by_a_part(client):
    assert "/broken" not in re.sub(
        r"<form.*?</form>", "", client.get("/console/requests?find=ITEMS").text, flags=re.DOTALL
    )
    page = client.get("/console/requests?find=<b>nothing").text
    assert "No route with “&lt;b&gt;nothing”" in page


def test_a_route_has_its_figures_by_status(client):
    page = client.get("/console/requests/route", params={"route": "/items/{item}", "method": "GET"}).text

    assert row_of(page, "200")[1:3] == ["7", "87.5 %"]
    assert row_of(page, "422")[1:3] == ["1", "12.5 %"]
    assert "8 requests" in page
    assert page.count("<h1>") == 1


def test_a_route_that_nobody_has_asked_for_is_not_found(client):
    page = client.get("/console/requests/route?route=/nothing")

    assert page.status_code == 404
    assert NOT_KEPT in page.text


def test_calls_are_shown_by_service_and_endpoint_with_waits_tokens_and_money(client):
    page = client.get("/console/outside").text

    assert row_of(page, "ozon /v1/&lt;i&gt;")[1:4] == ["3", "33.3 %", "429 1"]
    assert row_of(page, "wb /v2")[1:4] == ["1", "100 %", "timeout 1"]
    assert row_of(page, "ozon")[5] == "12 s"
    assert row_of(page, "ozon")[6].startswith("rate-limited in ")
    assert row_of(page, "wb")[6] == "allowed now"
    assert row_of(page, "gpt") == ["gpt", "1,234", "0", "0.0123"]


def test_the_telemetry_shows_its_series_queues_and_exporters(client):
    page = client.get("/console/telemetry").text

    assert row_of(page, "http.server.request.duration")[2] == "2,000"
    assert row_of(page, "job_runs")
    assert row_of(page, "traces")[1] == "not configured"
    assert "time series" in page


@pytest.mark.parametrize("path", ["/requests", "/outside", "/telemetry", "/requests/route?route=/broken"])
@pytest.mark.parametrize("window", ["15m", "6h", "14d"])
def test_each_plot_names_its_unit_and_window_and_has_its_figures_as_a_table(client, path, window):
    page = client.get(f"/console{path}{'&' if '?' in path else '?'}window={window}")
    found = page.text

    assert page.status_code == 200
    label = {"15m": "15 min", "6h": "6 h", "14d": "14 days"}[window]
    plots = re.findall(r'class="plot-title">(.+?)</span>.*?<span class="unit">(.+?)</span>', found)
    assert len(plots) == 2
    assert all(title and label in unit for title, unit in plots)
    assert found.count('<details class="figures"') == found.count('<svg class="plot"')
    assert not re.search(r"\sstyle=|\son\w+=", found)


@pytest.mark.parametrize("path", ["/requests", "/outside", "/telemetry", "/requests/route?route=/broken"])
def test_without_the_file_a_page_says_so_and_the_rest_is_there(client, path, monkeypatch):
    recent = telemetry.setup.current().recent

    def refuse():
        raise OSError("no such disk")

    monkeypatch.setattr(recent.database, "reading", refuse)
    page = client.get(f"/console{path}")

    assert page.status_code == 200
    assert "Figures cannot be read now" in page.text


@pytest.mark.parametrize(
    ("status", "failed"),
    [("500", True), ("599", True), ("error", True), ("499", False), ("200", False), ("other", False)],
)
def test_a_request_fails_by_the_servers_fault_and_an_overflow_series_says_nothing_of_it(status, failed):
    assert is_failure(status) is failed
