import logging
import re
import socket

import pytest

from service.integrations.http import client
from service.integrations.http.client import ApiCall, ApiDescription
from service.integrations.http.errors import CallError, Misconfigured, Unauthorized, Unreachable
from service.integrations.wildberries.client import feedbacks_api
from tests.support.loopback import CUT, SILENT, STALLED, TRICKLING, TRICKLING_HEAD, response
from tests.support.wildberries_payloads import LIMIT, TOKEN

ORDERS = "/api/v1/supplier/orders"
TELEGRAM_TOKEN = "123456:AAE-secret"


def once(endpoint=ORDERS, timeout=0.3, **options):
    """A call that is not repeated, so that it is counted once."""
    return ApiCall("GET", endpoint, LIMIT, repeatable=False, timeout=timeout, **options)


def calls(watch):
    """`(endpoint, service, status)` and how many there were."""
    return watch.series("external_api_requests_total")


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_an_answer_is_counted_by_its_endpoint_and_code(watch, server, api, client_of, status):
    server.enqueue(response("fine", status=status))

    try:
        client_of(api, patience=0).call(once())
    except CallError:
        assert status != 200

    assert calls(watch) == {(ORDERS, "wb", str(status)): 1}
    assert watch.series("external_api_duration_seconds_count") == {("wb",): 1}


@pytest.mark.parametrize("answer", [SILENT, STALLED, TRICKLING, TRICKLING_HEAD])
def test_an_answer_that_is_not_whole_at_its_deadline_is_counted_as_a_timeout(watch, server, api, client_of, answer):
    server.enqueue(answer)

    with pytest.raises(Unreachable, match=f"^wb is unavailable: {ORDERS} timed out.$") as late:
        client_of(api).call(once())

    assert late.value.may_have_applied
    assert calls(watch) == {(ORDERS, "wb", "timeout"): 1}
    assert 0.25 < watch.series("external_api_duration_seconds_sum")["wb",] < 5


def test_an_answer_that_was_cut_is_counted_as_an_error(watch, server, api, client_of):
    server.enqueue(CUT)

    with pytest.raises(Unreachable, match=r"\(RemoteProtocolError\)"):
        client_of(api).call(once(timeout=10.0))

    assert calls(watch) == {(ORDERS, "wb", "error"): 1}


def test_an_answer_that_is_too_long_is_counted_as_an_error(watch, server, api, client_of, monkeypatch):
    monkeypatch.setattr("service.integrations.http.client.MAX_RESPONSE_BYTES", 10)
    server.enqueue(response("x" * 11))

    with pytest.raises(Unreachable, match=r"\(ReadError\)"):
        client_of(api).call(once(timeout=10.0))

    assert calls(watch) == {(ORDERS, "wb", "error"): 1}


def test_each_attempt_is_counted_and_one_that_was_refused_as_an_error(watch, server, api, client_of):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = ApiDescription("wb", f"http://127.0.0.1:{taken.getsockname()[1]}", {}, api.error_from)
        with pytest.raises(Unreachable):
            client_of(nobody).call(once())

    assert sum(calls(watch).values()) == client.MAX_FAILURES
    assert {status for *_, status in calls(watch)} == {"error"}


def test_a_span_has_the_template_of_the_endpoint_and_nothing_of_the_url(watch, server, api, client_of):
    server.enqueue(response("fine"))

    client_of(api).call(ApiCall("GET", ORDERS, LIMIT, {"dateFrom": "2026-11-21"}))

    [span] = [span for span in watch.spans if span.name.startswith("GET")]
    assert (span.name, span.attributes["url.template"]) == (f"GET {ORDERS}", ORDERS)
    assert span.attributes["url.full"] == server.url + ORDERS


@pytest.mark.parametrize(
    "answer",
    [
        response("fine"),
        response(status=401),
        response(status=500),
        response("<html>"),
        response(status=429),
        CUT,
        STALLED,
    ],
)
@pytest.mark.parametrize("call", [once(), once("/bot{token}/getMe", path={"token": TELEGRAM_TOKEN})])
def test_a_token_is_nowhere(watch, server, api, client_of, caplog, answer, call):
    caplog.set_level(logging.DEBUG)
    for library in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, library)
    server.enqueue(answer)

    try:
        text = repr(client_of(api, patience=0).call(call))
    except CallError as error:
        text = f"{error!r} {error} {error.__cause__!r} {error.__suppress_context__}"

    urls = re.compile(r"HTTP Request: GET http\S+")  # of httpx, which the service's logs hold back
    said_in_logs = urls.sub("", caplog.text)
    spans = "".join(span.to_json() for span in watch.spans)
    everything = text + said_in_logs + spans + watch.page.render()[0].decode()
    assert "send_request_headers.complete" in said_in_logs
    assert "external_api_requests_total" in everything
    for secret in (TOKEN, TOKEN.split(".")[1], TELEGRAM_TOKEN, "AAE-secret"):
        assert secret not in everything


@pytest.mark.parametrize("slip", ["токен-по-русски", "ein-schlüssel", "\U0001f511\U0001f511", "half \udcff"])
def test_a_token_that_is_no_ascii_is_the_services_to_refuse(server, client_of, slip):
    server.enqueue(response({"detail": "token problem; token is malformed"}, status=401))

    with pytest.raises(Unauthorized, match="WB_API_TOKEN"):
        client_of(feedbacks_api(server.url, slip)).call(once())


@pytest.mark.parametrize("pasted", [f" {TOKEN}\n", f"{TOKEN[:50]}\r\n{TOKEN[50:]}", f"\ufeff{TOKEN}\x00"])
def test_a_token_that_was_pasted_with_line_breaks_is_sent_without_them(server, client_of, pasted):
    server.enqueue(response("fine"))

    client_of(feedbacks_api(server.url, pasted)).call(once())

    assert server.requests[0].headers["authorization"] == TOKEN


def test_an_address_that_is_none_is_not_tried_again(client_of, api, clock):
    with pytest.raises(Misconfigured, match=r"^wb cannot be called: its URL is invalid\.$"):
        client_of(ApiDescription("wb", "ftp://127.0.0.1", {}, api.error_from)).call(once())

    assert clock.waits == []
