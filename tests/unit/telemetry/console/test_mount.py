"""The console by requests, as a browser sends them."""

import asyncio
import re
import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import SpanProcessor

import telemetry
from telemetry import console
from telemetry.console.page_threads import PageThreads
from telemetry.settings import TelemetrySettings

TOKEN = "opensesame-opensesame-opensesame"
ORIGIN = {"origin": "http://127.0.0.1:8080"}


@pytest.fixture(autouse=True)
def _shut_down():
    yield
    telemetry.shutdown()


def browser(options=None, client=("127.0.0.1", 4711), path="/console", **settings) -> TestClient:
    app = FastAPI(title="library")
    running = telemetry.start(app=app, settings=TelemetrySettings(**settings))
    telemetry.create_tables(running.engine)
    console.mount(app, path, *([options] if options else []))
    return TestClient(app, "http://127.0.0.1:8080", client=client, follow_redirects=False)


def signed_in(**settings) -> TestClient:
    client = browser(ops_token=TOKEN, **settings)
    assert client.post("/console/sign-in", data={"token": TOKEN}, headers=ORIGIN).status_code == 303
    return client


class _Collected(SpanProcessor):
    def __init__(self, spans):
        self.on_end = spans.append


def greet(view):
    return {"greeting": view.text("name", "you"), "limit": view.whole_number("limit", 5, most=10)}


def own_page(tmp_path, read=greet, actions=()):
    (tmp_path / "own.html").write_text(
        '{% extends layout %}{% block content %}<p>Hello {{ greeting }}, {{ limit }} {{ view.notes.get("limit", "") }}</p>{% endblock %}'
    )
    return console.ConsolePage("/own/{name:path}", "Own", "own.html", read, tmp_path, actions=actions)


def test_one_line_gives_an_application_the_console():
    page = browser().get("/console")
    assert page.status_code == 200
    assert "Healthy" in page.text
    assert "library" in page.text


def test_the_console_is_wherever_it_is_mounted():
    client = browser(path="/ops/look")
    assert 'href="/ops/look/static/console.css' in client.get("/ops/look").text
    assert client.get("/console").status_code == 404


@pytest.mark.parametrize("path", ["console", "/console/", "/a b", "/", ""])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(ValueError, match="such as /console"):
        console.mount(FastAPI(), path)


def test_with_the_variable_false_there_is_no_console():
    assert browser(telemetry_console=False).get("/console").status_code == 404


def test_a_browser_runs_and_loads_only_the_files_of_the_console():
    client = browser()
    page = client.get("/console")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", page.text)
    links = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert all(link.startswith("/console") for link in links)
    for link in {each for each in links if "/static/" in each}:
        found = client.get(link)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]


def test_only_the_files_of_the_console_are_files():
    client = browser()
    for name in ("nothing.css", "..%2Fview.py", "%2e%2e/view.py", "view.py"):
        assert client.get(f"/console/static/{name}").status_code == 404, name


def test_a_fragment_is_the_content_without_the_frame():
    fragment = browser().get("/console", headers={"x-console-fragment": "1"}).text
    assert fragment.startswith("<main")
    assert "<html" not in fragment


def test_without_a_token_it_is_for_this_machine_alone_and_says_why():
    page = browser(client=("10.0.0.7", 1)).get("/console")
    assert page.status_code == 403
    assert "set OPS_TOKEN" in page.text


def test_with_a_token_a_browser_is_asked_to_sign_in_and_led_back():
    client = browser(ops_token=TOKEN)
    asked = client.get("/console?window=6h")
    assert (asked.status_code, asked.headers["location"]) == (303, "/console/sign-in?next=%2Fconsole%3Fwindow%3D6h")
    form = client.get(asked.headers["location"])
    assert form.status_code == 200
    assert 'type="password"' in form.text
    signed = client.post(asked.headers["location"], data={"token": f" {TOKEN}\n"}, headers=ORIGIN)
    assert (signed.status_code, signed.headers["location"]) == (303, "/console?window=6h")
    assert client.get("/console").status_code == 200


def test_signing_in_leads_out_of_the_console_by_no_path():
    client = browser(ops_token=TOKEN)
    for wanted in (
        *("https://evil.example", "//evil.example/console", "javascript:1", "/consoles", "/other", ""),
        *("/console/../evil", "/console/..", "/console/./x", "/console/%2e%2E/x", "/console/.%2e"),
        *("/console\\..\\evil", "/console/a\\b", "/console/../x\r\nx: y", "/console/sign-in"),
    ):
        signed = client.post("/console/sign-in", params={"next": wanted}, data={"token": TOKEN}, headers=ORIGIN)
        assert (signed.status_code, signed.headers["location"]) == (303, "/console"), wanted


def test_a_wrong_token_is_told_and_ten_of_them_are_enough():
    client = browser(ops_token=TOKEN)
    statuses = [client.post("/console/sign-in", data={"token": "wrong"}, headers=ORIGIN).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert client.post("/console/sign-in", data={"token": TOKEN}, headers=ORIGIN).status_code == 429


FORM = "application/x-www-form-urlencoded"


def test_a_form_of_any_kind_is_a_wrong_token_and_no_failure(caplog):
    bodies = [
        (FORM, b"&".join([b"a=b"] * 51)),
        (FORM, b"token=" + b"x" * 100_000),
        (FORM, b"token=\xff\xfe%ff%00%ed%a0%80"),
        (FORM, b""),
        ("application/json", f'{{"token": "{TOKEN}"}}'.encode()),
        (
            "multipart/form-data; boundary=x",
            f"--x\r\nContent-Disposition: form-data; name=token\r\n\r\n{TOKEN}".encode(),
        ),
        ("", f"token={TOKEN}".encode()),
    ]
    client = browser(ops_token=TOKEN)
    caplog.clear()

    for kind, body in bodies:
        answer = client.post("/console/sign-in", content=body, headers=ORIGIN | {"content-type": kind})
        assert answer.status_code == 401
        assert "not the service" in answer.text
    assert caplog.records == []


def test_a_head_is_answered_as_the_get():
    client = browser(ops_token=TOKEN)
    for path in ("/console", "/console/traces", "/console/none", "/console/sign-in"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.headers.get("location")) == (get.status_code, get.headers.get("location"))


def test_a_page_of_another_site_signs_nobody_in_or_out():
    client = signed_in()
    for path in ("/console/sign-in", "/console/sign-out"):
        assert client.post(path, data={"token": TOKEN}, headers={"origin": "http://evil.example"}).status_code == 403
        assert client.post(path, data={"token": TOKEN}).status_code == 403
    assert client.get("/console").status_code == 200


def test_signing_out_ends_it():
    client = signed_in()
    assert client.post("/console/sign-out", headers=ORIGIN).status_code == 303
    assert client.get("/console").status_code == 303


def test_a_link_of_another_site_is_followed_once_more_with_the_cookie():
    client = browser(ops_token=TOKEN)
    page = client.get("/console?window=6h", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert (page.status_code, 'content="0; url=http' in page.text) == (200, False)
    assert 'content="0; url=/console?window=6h"' in page.text


def test_a_program_shows_the_token_in_a_header():
    client = browser(ops_token=TOKEN, client=("10.0.0.7", 1))
    assert client.get("/console", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/console", headers={"authorization": "Bearer wrong"}).status_code == 303


def test_an_application_adds_a_page_of_its_own(tmp_path):
    client = browser(console.ConsoleOptions(title="The library", pages=[own_page(tmp_path)]))
    page = client.get("/console/own/x/y?name=<b>&limit=3")
    assert "Hello &lt;b&gt;, 3" in page.text
    assert "The library" in page.text


def test_a_value_that_is_none_is_the_default_with_a_word(tmp_path):
    client = browser(console.ConsoleOptions(pages=[own_page(tmp_path)]))
    for limit in ("0", "11", "-1", "many", "٣", "9" * 200, "1e1", "0x1"):
        page = client.get("/console/own/x", params={"limit": limit})
        assert "Hello you, 5" in page.text, limit
        assert "is no whole number from 1 to 10: not used." in page.text, limit


def fail(kind):
    def read(_view):
        raise kind("There is no book 7. There are: 1, 2.")

    return read


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        (console.PageNotFound, 404, "There is no book 7."),
        (console.Refused, 409, "There is no book 7."),
        (KeyError, 500, "an error"),
    ],
)
def test_a_page_that_cannot_be_shown_says_why_with_a_way_back(tmp_path, kind, status, text):
    page = browser(console.ConsoleOptions(pages=[own_page(tmp_path, fail(kind))])).get("/console/own/x")
    assert page.status_code == status
    assert text in page.text
    assert 'href="/console"' in page.text


def test_a_page_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("telemetry.console.mounted_console.PageThreads", lambda _deadline=0.05: PageThreads(0.05))
    page = browser(console.ConsoleOptions(pages=[own_page(tmp_path, lambda _view: time.sleep(0.5))])).get(
        "/console/own/x"
    )
    assert page.status_code == 504


def rename(view):
    return f"Renamed {view.params['name']} to {view.form['name']}."


@pytest.fixture
def renaming(tmp_path):
    page = own_page(tmp_path, actions=[console.Action("/rename/{name}", rename, "/own/{name}")])
    return browser(console.ConsoleOptions(pages=[page]))


def test_a_change_is_said_on_the_page_that_follows_it_once(renaming):
    changed = renaming.post("/console/rename/a", data={"name": "<b>"}, headers=ORIGIN)
    assert (changed.status_code, changed.headers["location"]) == (303, "/console/own/a")
    assert "Renamed a to &lt;b&gt;." in renaming.get("/console/own/a").text
    assert "Renamed" not in renaming.get("/console/own/a").text


def test_a_page_of_another_site_changes_nothing(renaming):
    for headers in ({}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert renaming.post("/console/rename/a", data={"name": "b"}, headers=headers).status_code == 403
    assert "Renamed" not in renaming.get("/console/own/a").text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (FORM, b"name=" + b"x" * 70_000, 413),
        (FORM, b"&".join([b"name=b"] * 51), 413),
        ("application/json", b'{"name": "b"}', 415),
        ("multipart/form-data; boundary=x", b"--x\r\n", 415),
        ("", b"name=b", 415),
    ],
)
def test_a_form_that_cannot_be_read_changes_nothing(renaming, kind, body, status):
    refused = renaming.post("/console/rename/a", content=body, headers=ORIGIN | {"content-type": kind})
    assert refused.status_code == status
    assert "Not done" in refused.text
    assert "Renamed" not in renaming.get("/console/own/a").text


def test_a_text_of_five_thousand_characters_fits_into_a_form(renaming):
    for letter in ("x", "я", "😀"):
        assert renaming.post("/console/rename/a", data={"name": letter * 5000}, headers=ORIGIN).status_code == 303


@pytest.mark.parametrize("path", ["/console/rename/a", "/console/sign-in"])
def test_a_client_that_leaves_amid_its_form_changes_nothing_and_is_no_error(renaming, path, caplog):
    messages = [{"type": "http.request", "body": b"name=", "more_body": True}, {"type": "http.disconnect"}]
    headers = [(b"host", b"127.0.0.1:8080"), (b"origin", b"http://127.0.0.1:8080"), (b"content-type", FORM.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}

    async def receive():
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(_message):
        pass

    asyncio.run(
        renaming.app({**scope, "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1)}, receive, send)
    )

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert "Renamed" not in renaming.get("/console/own/a").text


def test_before_the_start_the_console_says_so():
    app = FastAPI()
    console.mount(app)
    assert TestClient(app).get("/console").status_code == 503


def test_looking_at_the_console_is_counted_and_not_traced():
    client = browser(otel_traces_sampler_arg=1.0)
    spans = []
    telemetry.current().tracer_provider.add_span_processor(_Collected(spans))
    client.get("/console")
    client.get("/console/sign-in")
    client.get("/consoles")
    assert [span.attributes["url.path"] for span in spans] == ["/consoles"]
    assert 'endpoint="/console",' in telemetry.current().metrics.page.render()[0].decode()


def test_an_unknown_page_says_so_with_a_way_back():
    client = browser()
    for path in ("/console/nothing", "/console/static", "/console/a/b/c", "/console/%00"):
        page = client.get(path)
        assert page.status_code == 404, path
        assert "no such page" in page.text
        assert 'href="/console"' in page.text
