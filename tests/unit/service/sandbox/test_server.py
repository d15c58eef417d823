import logging
import time
from contextlib import suppress
from datetime import timedelta
from random import Random

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.sandbox.faults import FAULT_KINDS, Faults
from service.sandbox.server import Sandbox

HOUR = timedelta(hours=1)


class Shop:
    """A fake service with one method that changes something, and a page without faults."""

    def __init__(self):
        self.answered = []

    def routes(self):
        orders = Route("/orders", self._order, methods=["GET", "POST"])
        return {"/shop": [orders, Route("/nothing", self._nothing)], "": [Route("/window", self._nothing)]}

    def expected_state(self, kind):
        return {"orders": iter(self.answered)}[kind]

    def rate_limited(self, seconds):
        return JSONResponse({"wait": seconds}, 429)

    def server_error(self):
        return JSONResponse({"broken": True}, 500)

    async def _order(self, request: Request) -> Response:
        self.answered.append({"said": (await request.body()).decode()})
        return JSONResponse({"number": len(self.answered), "text": "thank you"}, 201)

    async def _nothing(self, _request: Request) -> Response:
        return Response(status_code=204)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def client_with(make_environment, shop, served):
    """A client of a sandbox with that fake service, on a real socket, with the given faults."""
    clients = []

    def make(**faults):
        sandbox = Sandbox(make_environment(), {"shop": shop}, Faults(**faults))
        clients.append(httpx.Client(base_url=served(sandbox.app()), timeout=30))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


# The faults


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", Faults()),
        ("0", Faults()),
        ("0.5", Faults(0.1, 0.1, 0.1, 0.1, 0.1)),
        ("1", Faults(0.2, 0.2, 0.2, 0.2, 0.2)),
        ("429=0.04, 5xx=0.05,timeout=0.06,cut=0.07,malformed=0.08,", Faults(0.04, 0.05, 0.06, 0.07, 0.08)),
        ("timeout=1,hold=0.5", Faults(timeout=1, hold=0.5)),
        ("too_many=0.5,server_error=0.5", Faults(0.5, 0.5)),
    ],
)
def test_faults_are_read_from_a_line(text, faults):
    assert Faults.parse(text) == faults
    assert Faults.from_mapping(faults.as_mapping()) == faults


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("404=0.1", "There is no fault '404'. There are: cut, hold, malformed, server_error, timeout, too_many."),
        ("429=2", "too_many is '2', but must be a number from 0 to 1."),
        ("429=-0.1", "too_many is '-0.1', but must be a number from 0 to 1."),
        ("429=nan", "too_many is 'nan', but must be a number from 0 to 1."),
        ("429=", "too_many is '', but must be a number from 0 to 1."),
        ("hold=inf", "hold is 'inf', but must be a number from 0 to 3600."),
        ("429=0.6,5xx=0.6", "The rates of the faults are more than 1 together."),
        ("1.2.3", "The rate of the faults is '1.2.3', but must be a number from 0 to 1."),
        ("7", "The rate of the faults is '7', but must be a number from 0 to 1."),
    ],
)
def test_faults_that_can_not_be_are_refused_with_a_sentence(text, sentence):
    with pytest.raises(ValueError) as refused:
        Faults.parse(text)
    assert str(refused.value) == sentence


def test_rates_are_kept_within_what_chance_allows():
    faults = Faults.parse("429=0.1,5xx=0.05,timeout=0.02,cut=0.03,malformed=0.2")
    random = Random(1)

    drawn = [faults.choose(random) for _ in range(20_000)]

    shares = {kind: drawn.count(kind) / len(drawn) for kind in (*FAULT_KINDS, None)}
    expected = {"too_many": 0.1, "server_error": 0.05, "timeout": 0.02, "cut": 0.03, "malformed": 0.2, None: 0.6}
    assert shares == pytest.approx(expected, abs=0.01)


def test_without_faults_calls_are_served(client_with, shop):
    client = client_with()

    assert [client.get("/shop/orders").status_code for _ in range(20)] == [201] * 20
    assert len(shop.answered) == 20


def test_refusals_are_the_services_own_and_change_nothing(client_with, shop):
    too_many, server_error = client_with(too_many=1), client_with(server_error=1)

    waits = {too_many.get("/shop/orders").json()["wait"] for _ in range(20)}
    assert waits == {1, 2}
    assert (server_error.get("/shop/orders").status_code, server_error.get("/shop/orders").json()) == (
        500, {"broken": True}
    )  # fmt: skip
    assert shop.answered == []


def test_a_cut_ends_the_connection_and_half_of_the_calls_have_had_their_effect(client_with, shop):
    client = client_with(cut=1)

    for path in ["/shop/orders"] * 40 + ["/shop/nothing"] * 10:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(path)

    assert 8 < len(shop.answered) < 32


def test_a_timeout_holds_the_call_longer_than_the_client_waits(client_with, shop):
    client = client_with(timeout=1)

    for _ in range(12):
        with pytest.raises(httpx.ReadTimeout):
            client.post("/shop/orders", content=b"tea" * 1000, timeout=0.1)

    assert 0 < len(shop.answered) < 12


def test_a_client_that_waits_longer_still_finds_the_connection_cut(client_with):
    client = client_with(timeout=1, hold=0.05)
    began = time.perf_counter()

    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/shop/orders")

    assert time.perf_counter() - began >= 0.05


def test_a_malformed_answer_is_half_of_one_and_says_that_it_is_whole(client_with, shop):
    client = client_with(malformed=1)

    answers = [client.get(path) for path in ("/shop/orders", "/shop/nothing", "/shop/elsewhere")]

    assert [answer.status_code for answer in answers] == [201, 200, 404]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert answers[0].text == '{"number":1,"text":"'[: len(answers[0].text)]
    for answer in answers:
        with pytest.raises(ValueError):
            answer.json()
    assert len(shop.answered) == 1


def test_the_faults_of_a_seed_are_the_same_each_time(client_with):
    def seen():
        client = client_with(too_many=0.3, server_error=0.3)
        return [client.get("/shop/orders").status_code for _ in range(30)]

    first = seen()
    assert first == seen()
    assert set(first) == {201, 429, 500}


@pytest.mark.parametrize(
    ("faults", "counted"),
    [
        ({}, {("", 201, 201)}),
        ({"too_many": 1}, {("too_many", 429, None)}),
        ({"server_error": 1}, {("server_error", 500, None)}),
        ({"malformed": 1}, {("malformed", 201, 201)}),
        ({"cut": 1}, {("cut", None, None), ("cut", None, 201)}),
        ({"timeout": 1, "hold": 0.01}, {("timeout", None, None), ("timeout", None, 201)}),
    ],
)
def test_each_call_is_counted_with_its_fault_and_whether_it_had_its_effect(client_with, shop, faults, counted):
    client = client_with(**faults)
    for _ in range(20):
        with suppress(httpx.RemoteProtocolError):
            client.get("/shop/orders")

    calls = client.get("/sandbox/calls").json()["calls"]

    assert {(call["fault"], call["status"], call["reached"]) for call in calls} == counted
    assert {call["service"] for call in calls} == {"shop"}
    assert sum(call["calls"] for call in calls) == 20
    assert sum(call["calls"] for call in calls if call["reached"]) == len(shop.answered)


def test_the_sandbox_itself_has_no_faults(client_with):
    client = client_with(cut=1)

    assert client.get("/").status_code == 200
    assert client.get("/window").status_code == 204
    assert client.get("/sandbox/faults").status_code == 200


# The server


def test_every_answer_is_marked(client_with):
    client = client_with(malformed=0.5, too_many=0.5)

    paths = ("/", "/window", "/shop/orders", "/shop/nothing", "/nowhere", "/sandbox/faults", "/sandbox/truth/a/b")
    assert {client.get(path).headers.get("x-sandbox") for path in paths} == {"sovani"}


def test_the_first_page_says_what_it_is(client_with):
    page = client_with().get("/")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for words in ("This is a sandbox", "Seed 1", "2026-11-24T12:00:00+00:00", "<code>/shop</code>", 'href="/phone"'):
        assert words in page.text


def test_faults_can_be_read_and_set_while_it_runs(client_with):
    client = client_with(hold=5)
    assert client.get("/sandbox/faults").json() == dict.fromkeys(FAULT_KINDS, 0.0) | {"hold": 5}

    put = client.put("/sandbox/faults", json={"5xx": 1})

    assert (
        put.json()
        == client.get("/sandbox/faults").json()
        == dict.fromkeys(FAULT_KINDS, 0.0) | {"server_error": 1, "hold": 90}
    )
    assert client.get("/shop/orders").status_code == 500
    client.put("/sandbox/faults", json={})
    assert client.get("/shop/orders").status_code == 201


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "The body must be a JSON object."),
        (b"[]", "The body must be a JSON object."),
        (b'{"404": 1}', "There is no fault '404'."),
        (b'{"429": "often"}', "too_many is 'often', but must be a number from 0 to 1."),
        (b'{"429": null}', "too_many is None, but must be a number from 0 to 1."),
    ],
)
def test_faults_that_are_wrong_are_refused_and_those_that_are_set_stay(client_with, body, sentence):
    client = client_with(server_error=1)

    refused = client.put("/sandbox/faults", content=body)

    assert (refused.status_code, refused.text[: len(sentence)]) == (422, sentence)
    assert client.get("/shop/orders").status_code == 500


def test_the_world_can_be_stopped_and_set_going_again(make_environment, shop, served, clock):
    environment = make_environment()
    url = served(Sandbox(environment, {"shop": shop}, Faults()).app())

    def put(**body):
        return httpx.put(f"{url}/sandbox/living", json=body, timeout=30)

    before = environment.simulation.now()
    assert put(living=False).json() == {"living": False}
    clock.advance(HOUR)
    assert environment.simulation.now() == before
    assert put(living=True).json() == {"living": True}
    assert environment.simulation.now() == before + HOUR
    assert put(living="no").status_code == put().status_code == 422


def test_the_truth_is_told_with_the_options_and_nothing_else_is(client_with):
    client = client_with()
    client.post("/shop/orders", content=b"tea")

    told = client.get("/sandbox/truth/shop/orders").json()

    assert told["orders"] == [{"said": "tea"}]
    assert (told["options"]["wb_orders"], told["options"]["telegram_limits"]) == (400, True)
    assert told["options"]["moderation"] == "0:00:20"
    for path in ("shop/prices", "bank/orders"):
        missing = client.get(f"/sandbox/truth/{path}")
        assert (missing.status_code, missing.text) == (404, f"There is no truth about {path}.")


def test_a_cut_is_the_only_thing_that_the_server_complains_of(client_with, caplog):
    caplog.set_level(logging.ERROR)
    client = client_with(cut=1)

    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/shop/orders")
    client.put("/sandbox/faults", json={})
    client.get("/shop/orders")

    assert [record.exc_info[0].__name__ for record in caplog.records] == ["ConnectionCut"]
