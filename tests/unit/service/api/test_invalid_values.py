"""Every endpoint answers a wrong value of any parameter with one sentence: the name, what may be, and what was given."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict

from service.api.problems import install_exception_handlers
from service.api.schemas.parameters import EXPECTED, expected
from service.main import create_app
from service.settings import Settings
from telemetry import setup

NO_NUMBER = ["abc", "1.5", "0x10", "1,000", "null", "NaN", "\u0661", "one", "1e3", "10;20", "-1", "0", str(2**64)]
NO_CHOICE = ["foo", "WB", "wb,ozon", "null", "0", "wb ", "None", "*", "success,failed", "'"]
NO_ANSWER = ["maybe", "2", "nein", "-1", "null", "truee", "0.5", "[]", "oui", "*"]
NO_TIME = [
    "yesterday", "now", "24h", "2025-10-02", "2025-10-02T12:00:00", "1759400000", "12:00Z", "-1",
    "2025-13-01T15:03:00Z", "0001-01-01T00:00:00+03:00", "\u0662025-10-02T12:00:00Z",
]  # fmt: skip
NO_WINDOW = ["1y", "", "h", "0h", "24", "24x", "-1h", "1.5h", "100000s", "1h 1m", "24H", "\u0661h", "7 d"]


@pytest.fixture(scope="module")
def app(tmp_path_factory, sqlite_template):
    home = tmp_path_factory.mktemp("invalid")
    (home / "shop.db").write_bytes(sqlite_template.read_bytes())
    made = create_app(
        Settings(database_url=f"sqlite:///{home}/shop.db", data_dir=home / "var", log_dir=home / "log", scheduler=False)
    )
    yield made
    setup.shutdown()
    made.state.runtime.engine.dispose()


@pytest.fixture(scope="module")
def client(app):
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def parameters(app):
    """The path and the OpenAPI description of each parameter in a query."""
    return [
        (path, parameter)
        for path, operations in app.openapi()["paths"].items()
        for parameter in operations.get("get", {}).get("parameters", ())
        if parameter["in"] == "query"
    ]


def test_each_parameter_of_a_certain_form_says_in_words_which(app):
    """In a path, too: `a text` would be no help for a text of another form."""
    silent = [
        (path, parameter["name"])
        for path, operations in app.openapi()["paths"].items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if "pattern" in kind(parameter["schema"]) and expected(parameter["schema"]).startswith("a text")
    ]

    assert silent == []


def kind(schema):
    return next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)


def wrong_values(name, schema):
    by_format = {"date-time": NO_TIME}.get(schema.get("format"))
    by_type = {"integer": NO_NUMBER, "boolean": NO_ANSWER}.get(schema["type"])
    if "enum" in schema:
        return NO_CHOICE
    return NO_WINDOW if name == "window" else by_format or by_type or []


def test_each_wrong_value_of_each_parameter_is_one_sentence(client, parameters):
    wrong, tried = [], dict[tuple[str, ...], int]()
    for path, parameter in parameters:
        name, schema = parameter["name"], parameter["schema"]
        values = wrong_values(name, kind(schema))
        for value in values[:2] if tuple(values) in tried else values:
            answer = client.get(path.replace("{job_name}", "check_resources"), params={name: value})
            sentence = f"{name} must be {expected(schema)}; got {value or 'nothing'}."
            tried[tuple(values)] = tried.get(tuple(values), 0) + 1
            if (answer.status_code, answer.json().get("detail")) != (422, sentence):
                wrong.append((path, name, value, answer.status_code, answer.text[:200]))

    assert wrong == []
    assert len(tried) == 5
    assert min(tried.values()) >= 10


def test_each_parameter_says_what_it_may_be(parameters):
    assert {expected(each["schema"]) for _, each in parameters} >= {
        "a whole number from 1 to 500",
        "a whole number from 1 to 5",
        "wb or ozon",
        "true or false",
        "none, moderation, published or rejected",
        "a text of at most 100 characters",
    }


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 2}, "a whole number of 2 or more"),
        ({"type": "number", "maximum": 9}, "a number up to 9"),
        ({"type": "string"}, "a text"),
        ({"const": "ok"}, "ok"),
        ({"anyOf": [{"type": "integer"}, {"enum": ["all"]}, {"type": "null"}]}, "a whole number or all"),
        ({"type": "string", EXPECTED: "a colour", "examples": ["red"]}, "a colour, for example red"),
        ({"type": "string", EXPECTED: "a colour"}, "a colour"),
        ({}, "a value"),
    ],
)
def test_a_schema_in_words(schema, words):
    assert expected(schema) == words


OPEN_TO_ANY = {"/health", "/healthz", "/livez", "/readyz", "/readyz/{check}", "/metrics"}  # the clients' own additions


@pytest.mark.parametrize(
    "name", ["windw", "Limit", "utm_source", "_", "limit[]", "job-name", "\u0442", "before ", "", "x" * 500]
)
def test_each_operation_refuses_a_parameter_that_it_does_not_know(app, client, name):
    operations = [
        (path, method, [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"])
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if path not in OPEN_TO_ANY
    ]

    for path, method, known in operations:
        at = path.replace("{job_name}", "check_resources").replace("{review_id}", "1")
        answer = client.request(method, at, params={name: "1h"}, headers={"content-type": "application/json"})
        detail = answer.json()["detail"]
        if path.endswith("/answer"):  # it needs OPS_TOKEN in any case, and says that first
            assert answer.status_code == 403
            continue
        assert (path, method, answer.status_code) == (path, method, 422), detail
        assert f"{name[:100] or 'The empty name'} is unknown: " in detail
        assert detail.endswith(f"here is {', '.join(known)}." if known else "there is no parameter in the query here.")
    assert len(operations) >= 8


@pytest.mark.parametrize(
    ("path", "beginning"),
    [
        ("/jobs/stats/check_resources?windw=1h", "windw is unknown: did you mean window? There is window."),
        ("/api/v1/reviews?ratng=5", "ratng is unknown: did you mean rating? There is "),
        ("/api/v1/orders?LIMIT=5", "LIMIT is unknown: did you mean limit? There is "),
        ("/jobs/status?utm_source=x&satus=failed", "utm_source is unknown: there is "),
    ],
)
def test_an_unknown_parameter_is_answered_with_the_nearest_one(client, path, beginning):
    answer = client.get(path)

    assert (answer.status_code, answer.json()["detail"][: len(beginning)]) == (422, beginning)


@pytest.mark.parametrize("path", ["/livez?verbose", "/livez?probe=1", "/metrics?x=1", "/jobs/status?status=&limit=1"])
def test_what_a_probe_or_a_form_adds_is_no_error(client, path):
    assert client.get(path).status_code == 200


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    stars: int = 5


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "text is missing: it must be a text."),
        ({"text": "no", "stars": "secret"}, "stars must be a whole number."),
        ({"text": "no", "colour": "secret"}, "colour is unknown: there is text, stars."),
        ([], "The body must be a JSON object, as the API's description shows it."),
        ("secret", "The body must be a JSON object, as the API's description shows it."),
    ],
)
def test_what_is_wrong_in_a_body_is_a_sentence_that_does_not_repeat_it(body, sentence):

    app = FastAPI()
    install_exception_handlers(app)

    @app.post("/answers")
    def publish(answer: Answer):
        return answer

    answer = TestClient(app).post("/answers", json=body)

    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)
