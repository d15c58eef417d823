"""The OpenAPI document: valid and invalid requests get the documented responses, and never a 500."""

from importlib import import_module

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from service.main import create_app
from service.settings import Settings
from telemetry import setup

TOKEN = "token-of-the-document"
EXAMPLES = settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def app(tmp_path_factory, sqlite_template):
    home = tmp_path_factory.mktemp("document")
    database = home / "shop.db"
    database.write_bytes(sqlite_template.read_bytes())
    made = create_app(
        Settings(
            database_url=f"sqlite:///{database}",
            data_dir=home / "var",
            log_dir=home / "log",
            scheduler=False,
            ops_token=TOKEN,
        )
    )
    yield made
    setup.shutdown()
    made.state.runtime.engine.dispose()


def _all_of(error):
    inside = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return "; ".join([str(error), *(_all_of(each) for each in inside)])


def _without_lifespan(app):
    """An application starts once; the test client would start it for each request."""

    async def asked(scope, receive, send):
        if scope["type"] == "http":
            await app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    return asked


@pytest.fixture(scope="module")
def schemathesis():
    """Imported where it is used: it takes a second, and each process of the tests imports all modules."""
    return import_module("schemathesis")


@pytest.fixture(scope="module")
def as_documented(schemathesis):
    checks = schemathesis.checks
    return [
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]


@pytest.fixture(scope="module")
def operations(schemathesis, app):
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = _without_lifespan(app)
    return [found.ok() for found in schema.get_all_operations()]


# Of schemathesis's own doing, and of no consequence: each case that fails is told as a request to repeat.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("mode", ["positive", pytest.param("negative", marks=pytest.mark.e2e)])
def test_whatever_is_asked_the_answer_is_as_documented_and_no_500(schemathesis, as_documented, operations, mode):
    """Each case is sent without the token and with it: to make one up takes much longer than to send it."""
    mode, wrong = schemathesis.GenerationMode(mode), []
    for operation in operations:

        @EXAMPLES
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            for headers in ({}, {"authorization": f"Bearer {TOKEN}"}):
                answer = case.call(headers=headers)
                assert answer.status_code != 500
                case.validate_response(answer, checks=as_documented)

        try:
            ask()
        except Unsatisfiable:  # it takes nothing that could be wrong
            assert mode is schemathesis.GenerationMode.NEGATIVE
        except (BaseExceptionGroup, AssertionError) as error:
            wrong.append(f"{operation.label}: {_all_of(error)}")
    assert wrong == []


def test_the_document_names_every_route_but_its_own(app):
    with TestClient(app) as client:
        paths = client.get("/openapi.json", headers={"authorization": f"Bearer {TOKEN}"}).json()["paths"]

    assert len(paths) == 22
