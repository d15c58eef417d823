import asyncio
import json
import re

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.api import auth
from tests.support.console_pages import is_of_console

TOKEN = "the-token-of-the-tests"
DOCUMENTATION = {"/docs", "/docs/{asset}", "/openapi.json"}
PROBES = {"/health", "/healthz", "/livez", "/readyz", "/readyz/{check}"}
READING = {"/api/v1/reviews", "/api/v1/orders"}
OPEN = PROBES | READING
ONE_REVIEW = {"/api/v1/reviews/{review_id}"}  # open as well; there is none to be read here
CHANGING = {
    "/alerts/{alert_id}/acknowledge",
    "/api/v1/reviews/{review_id}/advice",
    "/api/v1/reviews/{review_id}/answer",
    "/jobs/{job_name}/run",
    "/jobs/{job_name}/pause",
    "/jobs/{job_name}/resume",
}
CLOSED = DOCUMENTATION | {
    "/alerts",
    "/costs",
    "/metrics",
    "/jobs",
    "/jobs/status",
    "/jobs/runs/{run_id}",
    "/jobs/stats/{job_name}",
    "/sources",
}
REFUSED = "This needs the header Authorization: Bearer and the service's OPS_TOKEN."


@pytest.fixture
def app_of(shared_app_of):
    return shared_app_of


@pytest.fixture
def guarded(app_of):
    return TestClient(app_of(ops_token=TOKEN), raise_server_exceptions=False)


def an_url(path):
    values = {"{check}": "database", "{job_name}": "check_resources", "{asset}": "swagger-ui.css", "{run_id}": "0" * 48}
    return re.sub(r"{\w+}", lambda name: values.get(name[0], name[0]), path)


def opened(path):
    """The status of a route for those who may use it: there is no run to be read."""
    return 404 if path == "/jobs/runs/{run_id}" else 200


def test_every_route_is_declared_open_or_closed(app_of):
    """A new route fails here until its access has been decided."""
    found = {route.path.replace(":path}", "}") for route in iter_route_contexts(app_of().routes)}

    assert {path for path in found if path != "/" and not is_of_console(path)} == OPEN | ONE_REVIEW | CLOSED | CHANGING


def test_every_page_and_every_change_of_the_console_needs_to_be_signed_in(guarded):
    """The form to sign in, the way out, and files of styles are open."""
    routes = [route for route in iter_route_contexts(guarded.app.routes) if is_of_console(route.path)]
    found = {}
    for route in routes:
        method = "POST" if "POST" in route.methods else "GET"
        path = re.sub(r"{\w+(:\w+)?}", "1", route.path)
        found[method, route.path] = guarded.request(method, path, follow_redirects=False).status_code

    opened = {("GET", "/console/sign-in"), ("POST", "/console/sign-in"), ("POST", "/console/sign-out")}
    assert opened < found.keys()
    closed = {key: status for key, status in found.items() if key not in opened and "static" not in key[1]}
    assert {key: status for key, status in closed.items() if status != (303 if key[0] == "GET" else 401)} == {}


def test_what_a_route_requires_is_also_required_before_its_body_is_read(app_of):
    """Each dependency of a route that is a rule of `auth` has a check that needs no body."""
    required = {
        call
        for route in iter_route_contexts(app_of().routes)
        for call in auth.dependency_calls(getattr(route, "dependant", None))
    }
    rules = {
        call
        for call in required
        if getattr(call, "__module__", "") == auth.__name__ and getattr(call, "__name__", "").startswith("require_")
    }

    assert rules == set(auth.CHECKS)


@pytest.mark.parametrize("token", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp4"}])
def test_without_the_token_no_byte_of_the_body_is_awaited(app_of, token):
    headers = [(b"content-type", b"application/json"), *((n.encode(), v.encode()) for n, v in token.items())]
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/reviews/1/answer", "raw_path": b"/api/v1/reviews/1/answer",
        "query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80),
    }  # fmt: skip
    sent: list = []

    async def receive():
        raise AssertionError("The body was asked for.")

    async def send(message):
        sent.append(message)

    asyncio.run(app_of(ops_token=TOKEN)(scope, receive, send))

    assert sent[0]["status"] == 401
    assert json.loads(sent[1]["body"])["detail"] == REFUSED


@pytest.mark.parametrize("path", sorted(CHANGING))
def test_without_the_token_nothing_is_changed(guarded, path):
    answer = guarded.post(path.replace("{review_id}", "1"))

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["detail"] == REFUSED


def test_an_answer_is_published_by_nobody_where_there_is_no_token(client):
    answer = client.post("/api/v1/reviews/1/answer")

    assert answer.status_code == 403
    assert "OPS_TOKEN" in answer.json()["detail"]


def test_a_review_is_read_without_a_token(guarded):
    assert guarded.get("/api/v1/reviews/1").status_code == 404


@pytest.mark.parametrize("path", sorted(CLOSED))
def test_without_the_token_a_closed_route_tells_nothing(guarded, path):
    answer = guarded.get(an_url(path))

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["detail"] == REFUSED


@pytest.mark.parametrize("path", sorted(DOCUMENTATION))
def test_a_browser_is_asked_for_a_password_which_is_the_token(guarded, path):
    path = an_url(path)
    asked = guarded.get(path).headers["www-authenticate"]

    assert 'Basic realm="' in asked
    assert guarded.get(path, auth=("anybody", TOKEN)).status_code == 200
    assert guarded.get(path, auth=("anybody", "the-token-of-the-test")).status_code == 401
    assert guarded.get(path, headers={"authorization": "Basic no-base64!"}).status_code == 401


@pytest.mark.parametrize("path", sorted(CLOSED - DOCUMENTATION))
def test_a_password_that_a_browser_sends_by_itself_opens_nothing_else(guarded, path):
    assert guarded.get(an_url(path), auth=("anybody", TOKEN)).status_code == 401


@pytest.mark.parametrize("path", sorted(CLOSED))
def test_with_the_token_a_closed_route_is_open(guarded, path):
    assert guarded.get(an_url(path), headers={"authorization": f"Bearer {TOKEN}"}).status_code == opened(path)


@pytest.mark.parametrize("path", sorted(OPEN))
def test_an_open_route_wants_no_token(guarded, path):
    assert guarded.get(an_url(path)).status_code in {200, 503}


@pytest.mark.parametrize("path", sorted(CLOSED))
def test_without_an_ops_token_every_route_is_open(client, path):
    assert client.get(an_url(path)).status_code == opened(path)


@pytest.mark.parametrize(
    "authorization",
    [
        b"Bearer another-token-of-the-tests",
        b"Bearer the-token-of-the-test",
        b"Bearer",
        b"Bearer ",
        b"Basic dGhlLXRva2VuLW9mLXRoZS10ZXN0cw==",
        b"the-token-of-the-tests",
        b"",
        "Bearer токен-не-латиницей".encode(),
        b"Bearer \xff\xfe\x80",
    ],
)
def test_what_is_not_the_token_is_refused_whatever_it_is(guarded, authorization):
    answer = guarded.get("/jobs", headers={b"authorization": authorization})

    assert (answer.status_code, answer.json()["detail"]) == (401, REFUSED)


def test_a_token_that_is_not_ascii_opens_as_well(app_of):
    """Headers are bytes, and the server reads them as Latin-1: a client may send the token as UTF-8."""
    guarded = TestClient(app_of(ops_token="пароль-оператора"))

    assert guarded.get("/jobs", headers={b"authorization": "Bearer пароль-оператора".encode()}).status_code == 200


@pytest.mark.parametrize("query", [{"limit": "abc"}, {"unknown": "1"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/jobs/status"), *(("POST", path) for path in sorted(CHANGING))])
def test_a_guarded_route_is_refused_before_its_query_is_looked_at(guarded, method, path, query):
    url = an_url(path).replace("{review_id}", "1")

    assert guarded.request(method, url, params=query).status_code == 401
