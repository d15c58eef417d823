import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from service.errors import install_error_pages


class Order(BaseModel):
    price: int


@pytest.fixture
def client():
    app = FastAPI()
    install_error_pages(app)

    @app.post("/orders")
    def create_order(order: Order):
        return order

    @app.get("/refused/{status}")
    def refuse(status: int, detail: str | None = None):
        raise HTTPException(status, detail, {"retry-after": "7"})

    return TestClient(app, raise_server_exceptions=False)


def test_what_is_wrong_in_a_body_is_named_and_not_repeated(client):
    answer = client.post("/orders", json={"price": "a secret"})

    assert answer.json()["detail"] == ("price: Input should be a valid integer, unable to parse string as an integer.")


@pytest.mark.parametrize("body", [b"{", b"", b"[1]"])
def test_a_body_that_is_no_object_is_a_sentence(client, body):
    answer = client.post("/orders", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("body")


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
