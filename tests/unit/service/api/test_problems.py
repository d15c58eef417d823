import logging
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

import pytest
from fastapi import FastAPI, Header, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError, OperationalError

from service.api.problems import install_exception_handlers
from service.errors import Problem
from service.integrations.http.errors import Forbidden, NotConfigured, RateLimited, Unreachable
from telemetry.instrumentation.fastapi import FastAPIInstrumentor


class Order(BaseModel):
    price: int


class TooEarly(Problem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"retry-after": "3"}  # noqa: RUF012  # as the classes of the service have it


TOMORROW = datetime.now(UTC) + timedelta(days=1)
OUTSIDE = {
    "paused": RateLimited("wb", TOMORROW),
    "just now": RateLimited("wb", datetime(2025, 10, 2, tzinfo=UTC)),
    "away": Unreachable("wb is unavailable: /ping timed out.", may_have_applied=True),
    "refuses": Forbidden("The token of wb lacks a category: check WB_API_TOKEN."),
    "unknown": NotConfigured("WB_API_TOKEN is not set."),
}


def build():
    app = FastAPI(telemetry={"tracing": False})  # there may be global providers, left by another test
    install_exception_handlers(app)

    @app.post("/orders")
    def create_order(order: Order):
        return order

    @app.get("/orders")
    def read_orders(
        limit: Annotated[int, Query(ge=1, le=1000)],
        shop: Annotated[list[int] | None, Query()] = None,
        x_secret: Annotated[int, Header()] = 0,
    ):
        return limit

    @app.get("/orders/{order_id}")
    def read_order(order_id: int):
        return order_id

    @app.get("/refused/{status}")
    def refuse(status: int, detail: str | None = None):
        raise HTTPException(status, detail, {"retry-after": "7"})

    @app.get("/early")
    def early():
        raise TooEarly("The orders are still being fetched; ask again in 3 seconds.")

    @app.get("/crash")
    def crash():
        raise RuntimeError("the password is hidden")

    @app.get("/database/{trouble}")
    def ask_database(trouble: str):
        errors = {"away": OperationalError, "refuses": IntegrityError}
        raise errors[trouble]("SELECT secret", {}, ConnectionRefusedError("Connection refused"))

    @app.get("/outside/{trouble}")
    def ask_outside(trouble: str):
        raise OUTSIDE[trouble]

    @app.get("/invalid")
    def invalid():
        raise RequestValidationError([])

    return app


@pytest.fixture
def client():
    return TestClient(build(), raise_server_exceptions=False)


@pytest.fixture
def traced():
    """A client of an application that is traced with the given sampler."""

    def client_with(sampler):
        app = build()
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=TracerProvider(sampler=sampler, shutdown_on_exit=False),
            meter_provider=MeterProvider(shutdown_on_exit=False),
        )
        return TestClient(app, raise_server_exceptions=False)

    return client_with


def test_a_path_that_there_is_not_is_a_sentence(client):
    answer = client.get("/nowhere/{x}")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at /nowhere/{x}; /docs lists what there is.",
        "instance": "/nowhere/{x}",
        "trace_id": None,
    }


def test_a_method_that_is_not_taken_is_a_sentence_and_says_which_are(client):
    answer = client.delete("/orders/1")

    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.json()["detail"] == "/orders/1 does not take DELETE; /docs lists what it takes."
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/orders?limit=0", "limit must be a whole number from 1 to 1000; got 0."),
        ("/orders?limit=1001", "limit must be a whole number from 1 to 1000; got 1001."),
        ("/orders?limit=abc", "limit must be a whole number from 1 to 1000; got abc."),
        ("/orders", "limit is missing: it must be a whole number from 1 to 1000."),
        ("/orders/x", "order_id must be a whole number; got x."),
        ("/orders?limit=1&shop=1&shop=y", "shop.1 must be a whole number; got y."),
    ],
)
def test_what_is_wrong_in_a_request_is_a_sentence_that_names_it(client, path, detail):
    answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"] == detail


def test_everything_that_is_wrong_is_said_at_once(client):
    detail = client.get("/orders?limit=0&shop=x").json()["detail"]

    assert detail == "limit must be a whole number from 1 to 1000; got 0. shop.0 must be a whole number; got x."


def test_what_is_wrong_in_a_header_is_named_and_not_repeated(client):
    detail = client.get("/orders?limit=1", headers={"x-secret": "hidden"}).json()["detail"]

    assert detail == "x-secret must be a whole number."
    assert "hidden" not in detail


def test_what_is_wrong_and_long_is_shortened(client):
    detail = client.get(f"/orders?limit={'9' * 5000}x").json()["detail"]

    assert len(detail) < 300


def test_nothing_that_is_wrong_is_a_problem_as_well(client):
    assert (client.get("/invalid").status_code, client.get("/invalid").json()["detail"]) == (422, "")


def test_an_error_of_ours_is_its_own_sentence_with_its_status_and_headers(client):
    answer = client.get("/early")

    assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
    assert answer.json()["detail"] == "The orders are still being fetched; ask again in 3 seconds."
    assert answer.headers["retry-after"] == "3"


def test_a_crash_tells_nothing_of_itself_and_is_logged_once(client, caplog):
    answer = client.get("/crash")

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["detail"] == "Internal server error; search the logs for this trace id."
    assert "hidden" not in answer.text
    assert answer.headers["connection"] == "close"  # as the server does behind it
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "GET /crash crashed"
    assert record.component == "http"
    assert isinstance(record.exc_info[1], RuntimeError)


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("path", ["/nowhere", "/orders?limit=0", "/early", "/crash", "/refused/429"])
def test_an_error_carries_the_id_of_its_trace(traced, sampler, path):
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = traced(sampler).get(path, headers={"traceparent": caller})

    assert answer.json()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_two_errors_are_two_traces(traced):
    client = traced(ALWAYS_ON)

    ids = {client.get("/crash").json()["trace_id"] for _ in range(2)}

    assert len(ids) == 2
    assert all(int(each, 16) != trace.INVALID_TRACE_ID for each in ids)


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/orders/1", 405), ("/crash", 405)])
def test_a_head_has_the_status_and_the_type(client, path, status):
    answer = client.head(path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_what_is_wrong_in_a_body_is_named_and_not_repeated(client):
    answer = client.post("/orders", json={"price": "a secret"})

    assert answer.json()["detail"] == "price must be a whole number."


@pytest.mark.parametrize("body", [b"{", b"", b"[1]"])
def test_a_body_that_is_no_object_is_a_sentence(client, body):
    answer = client.post("/orders", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "The body must be a JSON object, as the API's description shows it."


def test_a_refusal_keeps_its_sentence_and_its_headers(client):
    answer = client.get("/refused/429", params={"detail": "Wait 7 seconds."})

    assert (answer.status_code, answer.json()["title"]) == (429, "Too Many Requests")
    assert answer.json()["detail"] == "Wait 7 seconds."
    assert answer.headers["retry-after"] == "7"


def test_a_refusal_with_a_status_that_has_no_name_is_a_problem_too(client):
    answer = client.get("/refused/499", params={"detail": "Gone."})

    assert (answer.status_code, answer.json()["title"]) == (499, "Refused")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_may_have_no_body_has_none(client, status):
    answer = client.get(f"/refused/{status}")

    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (status, b"", "7")


def test_a_database_that_is_away_is_a_503_with_the_reason_and_when_to_ask_again(client):
    answer = client.get("/database/away")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "The database cannot be used now: Connection refused."


def test_a_database_that_refuses_a_statement_is_a_crash_of_ours(client):
    answer = client.get("/database/refuses")

    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize(("trouble", "status"), [("away", 502), ("refuses", 502), ("paused", 503), ("unknown", 503)])
def test_what_a_service_outside_said_is_a_problem_with_its_sentence_and_no_crash_of_ours(
    client, caplog, trouble, status
):
    answer = client.get(f"/outside/{trouble}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"] == str(OUTSIDE[trouble])
    assert answer.json()["instance"] == f"/outside/{trouble}"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_one_that_may_be_asked_again_later_says_in_how_many_seconds(client):
    headers = {trouble: client.get(f"/outside/{trouble}").headers for trouble in OUTSIDE}

    left = (TOMORROW - datetime.now(UTC)).total_seconds()
    assert int(headers["paused"]["retry-after"]) == pytest.approx(left, abs=5)
    assert headers["just now"]["retry-after"] == "1"
    assert all("retry-after" not in headers[trouble] for trouble in ("away", "refuses", "unknown"))


def test_of_a_long_path_only_the_beginning_is_said():
    answer = TestClient(build()).get("/" + "://" * 2600)

    assert answer.status_code == 404
    assert len(answer.content) < 5000
    assert answer.json()["instance"].startswith("/://://")
    assert "left out" in answer.json()["detail"]


def test_of_many_wrong_parameters_the_first_are_said():
    everything_wrong = [
        {"type": "missing", "loc": ("query", f"p{n}" * 60), "msg": "Field required", "input": None} for n in range(4000)
    ]
    app = build()

    @app.get("/wrong")
    def read_wrong():
        raise RequestValidationError(everything_wrong)

    answer = TestClient(app).get("/wrong")

    assert answer.status_code == 422
    assert len(answer.content) < 5000
    assert "3,990 more are wrong" in answer.json()["detail"]
