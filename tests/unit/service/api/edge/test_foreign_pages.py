import re

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.api.auth import dependency_calls, require_configured_ops_token, require_ops_token
from service.api.edge.foreign_pages import HostCheck, JsonRequired, OriginRejected, check_change
from service.settings import Settings
from tests.support.console_pages import is_of_console

ADVICE = "/api/v1/reviews/1/advice"
JSON = {"content-type": "application/json"}
OPEN = ("/livez", "/readyz", "/readyz/database", "/health")
GUARDED = (
    "/healthz",
    "/metrics",
    "/jobs",
    "/jobs/status",
    "/alerts",
    "/api/v1/reviews",
    "/docs",
    "/openapi.json",
    "/no",
)


@pytest.fixture
def app_of(shared_app_of):
    return shared_app_of


@pytest.fixture
def ask(app_of):
    """Asks a service with such settings by a name; the status of the response."""

    def request(name, path="/metrics", method="GET", headers=None, **settings):
        client = TestClient(app_of(**settings), raise_server_exceptions=False)
        return client.request(method, path, headers={"host": name, **(headers or {})})

    return request


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8080"],
)
def test_the_service_answers_to_the_names_of_loopback(ask, host):
    assert ask(host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost"),
        *("10.0.0.7:8080", "[::2]:8080", "[::1", "::1", "localhost@evil.example", "evil.example:localhost", "", " "),
        *(
            "localhost:8080.evil.example",
            "localhost:evil",
            "[::1].evil.example",
            "localhost..",
            "[localhost]",
            "*",
            "*.x",
        ),
        *("127.0.0.1,evil.example", "evil.example.", "localhost/evil.example", "x" * 5000),
    ],
)
def test_another_name_is_refused_with_a_problem(ask, host):
    answer = ask(host)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("The service does not answer to the name ")
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", GUARDED)
def test_nothing_but_probes_answers_to_another_name(ask, path):
    assert ask("evil.example", path).status_code == 400


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("host", ["10.1.2.3:8080", "[fd00::7]:8080", "sovani:8080", "evil.example"])
def test_probes_answer_by_address(ask, path, host):
    assert ask(host, path).status_code != 400


@pytest.mark.parametrize("path", ["/livezz", "/livez/", "/readyzz", "/jobs?x=/livez", "/readyz/../metrics", "//livez"])
def test_a_path_that_resembles_a_probe_is_none(ask, path):
    assert ask("evil.example", path).status_code == 400


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ("shop.example", "shop.example:8080", 200),
        ("shop.example", "localhost", 200),
        ("shop.example", "www.shop.example", 400),
        ("*.shop.example", "www.shop.example", 200),
        ("*.shop.example", "a.b.SHOP.example", 200),
        ("*.shop.example", "shop.example", 400),
        ("*.shop.example", "evilshop.example", 400),
        ("a.example, 10.0.0.7 ,[fd00::7]", "10.0.0.7", 200),
        ("a.example, 10.0.0.7 ,[fd00::7]", "[fd00::7]:8080", 200),
        ("*", "evil.example", 200),
    ],
)
def test_other_names_are_configured(ask, allowed, host, status):
    assert ask(host, allowed_hosts=allowed).status_code == status


def test_the_address_that_is_listened_on_is_a_name(ask):
    assert ask("192.168.1.5:8080", host="192.168.1.5").status_code == 200
    assert ask("[fd00::7]:8080", host="fd00::7").status_code == 200


@pytest.mark.parametrize(("allowed", "status"), [(None, 401), ("shop.example", 400)])
def test_with_a_token_only_configured_names_are_asked_for(ask, allowed, status):
    assert ask("evil.example", ops_token="a-token-of-tests", allowed_hosts=allowed).status_code == status


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("text/plain; application/json", "text/json", "json", "application/jsonx", "x+json"),
    ],
)
def test_what_changes_something_wants_json_or_an_origin(ask, content_type):
    answer = ask("localhost:8080", ADVICE, "POST", {"content-type": content_type} if content_type else {})

    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "https://evil.example",
            "null",
            "http://localhost:3000",
            "http://localhost",
            "http://localhost:8080.evil.example",
        ),
        *("localhost:8080", "http://evil.example@localhost:8080", "http://127.0.0.1:8080", "http://"),
    ],
)
def test_a_foreign_origin_changes_nothing_whatever_it_sends(ask, origin):
    answer = ask("localhost:8080", ADVICE, "POST", {"origin": origin, **JSON})

    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {"content-type": "Application/JSON; charset=utf-8"},
        {"content-type": "application/merge-patch+json"},
        {"origin": "http://localhost:8080"},
        {"origin": "https://localhost:8080"},
        {"origin": "http://LOCALHOST:8080", "content-type": "text/plain"},
    ],
)
def test_json_or_the_pages_of_the_service_may_change_something(ask, headers):
    assert ask("localhost:8080", ADVICE, "POST", headers).status_code not in {400, 403, 415}


def test_a_proxy_of_a_configured_name_may_rewrite_the_host(ask):
    proxied = {"origin": "https://shop.example"}

    assert ask("localhost:8080", ADVICE, "POST", proxied, allowed_hosts="shop.example").status_code not in {
        400,
        403,
        415,
    }
    assert ask("localhost:8080", ADVICE, "POST", proxied, allowed_hosts="*").status_code == 403


def test_with_a_token_the_token_decides(ask):
    assert ask("localhost", ADVICE, "POST", ops_token="a-token-of-tests").status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_only_reads_needs_neither(ask, method):
    assert ask("localhost:8080", "/jobs", method, {"origin": "https://evil.example"}).status_code in {200, 405}


def test_behind_a_path_of_a_proxy_probes_are_found():
    scope = {"method": "GET", "path": "/shop/livez", "root_path": "/shop", "headers": [(b"host", b"10.0.0.7")]}
    check = HostCheck(Settings())

    assert not check.rejection(scope)
    assert check.rejection({**scope, "path": "/shop/metrics"})


def test_of_several_hosts_the_first_counts_and_none_is_refused():
    check = HostCheck(Settings())
    scope = {"method": "GET", "path": "/jobs", "headers": [(b"host", b"evil.example"), (b"host", b"localhost")]}

    assert check.rejection(scope)
    assert check.rejection({**scope, "headers": []})


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "LOCK"])
def test_every_method_that_may_change_something_is_checked(method):
    scope = {"method": method, "path": "/", "headers": [(b"host", b"localhost"), (b"origin", b"https://evil.example")]}

    with pytest.raises(OriginRejected):
        check_change(scope, Settings())
    with pytest.raises(JsonRequired):
        check_change({**scope, "headers": []}, Settings())


def changing_routes(app, *, of_console):
    """The routes of other methods than GET: those of the console, or all others."""
    routes = [route for route in iter_route_contexts(app.routes) if set(route.methods or ()) - {"GET", "HEAD"}]
    return [route for route in routes if is_of_console(route.path) is of_console]


def test_everything_that_changes_something_is_checked(app_of):
    """Each route of another method than GET has a dependency that does it, or one that wants a token in any case."""
    checks = {require_ops_token, require_configured_ops_token}
    changing = changing_routes(app_of(), of_console=False)

    assert changing
    assert [route.path for route in changing if not checks & set(dependency_calls(route.dependant))] == []


def test_everything_that_the_console_changes_is_refused_to_a_page_of_another_site(app_of):
    app = app_of()
    client = TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711))
    paths = {re.sub(r"{\w+(:\w+)?}", "1", route.path) for route in changing_routes(app, of_console=True)}

    answers = {path: client.post(path, headers={"origin": "https://evil.example"}) for path in paths}

    assert {
        "/console/jobs/1/pause",
        "/console/alerts/silence",
        "/console/reviews/1/answer",
        "/console/sign-in",
    } <= paths
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 403)
    assert [path for path, answer in answers.items() if "a page of another site has sent it" not in answer.text] == []
