"""The middleware: limits, request ids, and the headers of every response."""

import base64
import hashlib
import json
import logging
import re

import pytest
from fastapi.testclient import TestClient

from telemetry.logs.json_formatter import JsonFormatter

KIB = 1024


@pytest.fixture
def app_of(shared_app_of):
    return shared_app_of


@pytest.mark.parametrize("path", ["/health", "/api/v1/reviews", "/metrics", "/nothing/here", "/jobs/status?limit=0"])
def test_every_answer_tells_a_browser_to_do_nothing_with_it(client, path):
    headers = client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_crash_has_the_headers_as_well(app_of):
    app = app_of()

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("no")

    answer = TestClient(app, raise_server_exceptions=False).get("/crash")

    assert answer.status_code == 500
    assert answer.headers["x-request-id"]


def test_only_the_documentations_own_scripts_run(client):
    page = client.get("/docs")

    policy = page.headers["content-security-policy"]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_the_documentation_needs_nothing_from_elsewhere(client):
    page = client.get("/docs")

    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 3
    assert "http" not in page.text.replace("http-equiv", "") + page.headers["content-security-policy"]
    assert [(client.get(file).status_code, len(client.get(file).content) > 1000) for file in files] == [(200, True)] * 3
    assert client.get("/docs/redoc.standalone.js").status_code == 404
    assert '"validatorUrl": null' in page.text
    style = client.get("/docs/swagger-ui.css").text
    assert {url.strip("\"' ")[:5] for url in re.findall(r"url\(([^)]*)", style)} == {"data:"}
    assert "@import" not in style


def test_the_documentation_says_what_it_is_of(client):
    info = client.get("/openapi.json").json()["info"]

    assert "<title>sovani: HTTP API</title>" in client.get("/docs").text
    assert info["title"] == "sovani"
    assert "Wildberries" in info["summary"]
    assert "**Authentication.**" in info["description"]
    paths = str(client.get("/openapi.json").json()["paths"])
    assert set(re.findall(r"https?://[^/']+", paths)) == {"https://wiki.example"}


def test_a_request_is_known_by_the_id_that_it_brings(client):
    assert client.get("/health", headers={"x-request-id": "order-17.b_2"}).headers["x-request-id"] == "order-17.b_2"


@pytest.mark.parametrize("said", ["", "a b", "a\tb", "<script>", "x" * 65, "é".encode().decode("latin-1"), "../etc"])
def test_an_id_that_is_no_word_is_replaced(client, said):
    given = client.get("/health", headers={"x-request-id": said.encode("latin-1")}).headers["x-request-id"]

    assert re.fullmatch("[0-9a-f]{32}", given)


def test_without_one_the_id_is_that_of_the_trace(client):
    answer = client.get("/nothing/here")

    assert answer.headers["x-request-id"] == answer.json()["trace_id"]


def test_the_log_lines_of_a_request_have_its_id(app_of):
    app, lines = app_of(), []

    @app.get("/logs")
    def log() -> None:
        lines.append(json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "seen"}))))

    TestClient(app).get("/logs", headers={"x-request-id": "abc"})

    assert lines[0]["request_id"] == "abc"
    assert "request_id" not in json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "outside"})))


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client):
    answer = client.post("/api/v1/reviews/1/answer", content=b"{" + b" " * 64 * KIB)

    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "64 KiB" in answer.json()["detail"]


def test_a_body_that_does_not_say_its_length_is_counted(app_of):
    client = TestClient(app_of(ops_token="a-token-of-tests"))
    pieces = (b" " * KIB for _ in range(65))

    answer = client.post(
        "/api/v1/reviews/1/answer", content=pieces, headers={"authorization": "Bearer a-token-of-tests"}
    )

    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 20, str(64 * KIB + 1)])
def test_a_length_of_any_length_is_a_refusal(client, length):
    assert client.post("/api/v1/reviews/1/answer", headers={"content-length": length}).status_code == 413


def test_a_url_that_is_too_long_is_refused(client):
    answer = client.get("/api/v1/reviews", params={"since": "x" * 8 * KIB})

    assert (answer.status_code, answer.headers["content-type"]) == (414, "application/problem+json")


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "service.api.middleware"]


def test_in_production_a_stranger_is_noticed_once_where_there_is_no_token(app_of, caplog):
    app = app_of(environment="production")
    with caplog.at_level(logging.WARNING, "service.api.middleware"):
        near, far = (TestClient(app, base_url=f"http://{host}") for host in ("127.0.0.1", "10.0.0.7"))
        near.get("/health")
        assert said(caplog) == []
        far.get("/health")
        far.get("/health")

    [message] = said(caplog)
    assert "OPS_TOKEN is not set" in message
