import pytest
from fastapi.testclient import TestClient

from service import main
from service.settings import Settings
from telemetry import setup
from telemetry.settings import SettingsError

WRONG_PORT = "PORT is 'high', but must be a port from 0 to 65535."


@pytest.fixture
def module():
    yield main
    vars(main).pop("app", None)
    setup.shutdown()


def test_importing_the_module_makes_no_application(module):
    assert "app" not in vars(module)


def test_the_application_is_made_once_when_it_is_asked_for(module):
    assert module.app is module.app
    assert "app" in vars(module)
    module.app.state.runtime.close()


def test_the_module_has_nothing_else_that_it_does_not_have(module):
    with pytest.raises(AttributeError, match="has no attribute 'application'"):
        _ = module.application


def test_a_wrong_variable_ends_the_process_with_the_line_that_names_it(module, monkeypatch):
    monkeypatch.setenv("PORT", "high")

    with pytest.raises(SystemExit) as stop:
        _ = module.app

    assert stop.value.code == WRONG_PORT


@pytest.mark.parametrize(
    ("caller", "is_worker", "code"),
    [
        ("uvicorn.config", False, WRONG_PORT),
        ("uvicorn.config", True, main.WORKER_FAILED),
        ("an.application", True, main.WORKER_FAILED),
        ("an.application", False, None),
    ],
)
def test_a_wrong_variable_ends_a_server_that_calls_the_factory(monkeypatch, capsys, caller, is_worker, code):
    monkeypatch.setenv("PORT", "high")
    monkeypatch.setattr(main, "_is_first_worker", lambda: is_worker)

    with pytest.raises(SettingsError if code is None else SystemExit) as stop:
        eval("create_app()", {"__name__": caller, "create_app": main.create_app})  # noqa: S307  # a module of this name

    assert code is None or stop.value.code == code
    assert (WRONG_PORT in capsys.readouterr().err) is (code == main.WORKER_FAILED)


def test_wrong_settings_that_are_passed_are_the_callers(monkeypatch):
    monkeypatch.setattr(main, "_is_first_worker", lambda: True)

    with pytest.raises(AttributeError):
        main.create_app(5)


def test_the_lifespan_makes_it_ready_and_afterwards_everything_is_flushed(app_of):
    app = app_of()
    runtime = app.state.runtime

    with TestClient(app) as client:
        runtime._migration._thread.join(30)
        assert client.get("/readyz").text == "ok"
        client.get("/jobs")

    assert runtime.lifecycle.phase == "stopping"
    assert setup.current() is None
    assert TestClient(app).get("/readyz").status_code == 503


def test_a_crash_is_a_problem_with_its_trace_and_one_error_that_is_counted(app_of, caplog):
    app = app_of()

    @app.get("/crash")
    def crash():
        raise ZeroDivisionError("a secret of the seller")

    client = TestClient(app, raise_server_exceptions=False)

    answer = client.get("/crash")

    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert len(problem["trace_id"]) == 32
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["GET /crash crashed"]
    page = client.get("/metrics").text
    assert 'errors_total{error_type="ZeroDivisionError",component="http"} 1\n' in page
    assert 'http_requests_total{method="GET",endpoint="/crash",status="500"} 1\n' in page


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/no/such/path", 404, "There is nothing at /no/such/path; /docs lists what there is."),
        ("DELETE", "/jobs", 405, "/jobs does not take DELETE; /docs lists what it takes."),
    ],
)
def test_what_there_is_not_is_a_problem_with_a_sentence(client, method, path, status, sentence):
    answer = client.request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"] == sentence


def test_the_documentation_lists_every_route(client):
    assert set(client.get("/openapi.json").json()["paths"]) == {
        "/health",
        "/healthz",
        "/livez",
        "/readyz",
        "/readyz/{check}",
        "/metrics",
        "/alerts",
        "/alerts/{alert_id}/acknowledge",
        "/jobs",
        "/jobs/status",
        "/jobs/runs/{run_id}",
        "/jobs/stats/{job_name}",
        "/api/v1/reviews",
        "/api/v1/reviews/{review_id}",
        "/api/v1/reviews/{review_id}/advice",
        "/api/v1/reviews/{review_id}/answer",
        "/api/v1/orders",
        "/jobs/{job_name}/pause",
        "/jobs/{job_name}/resume",
        "/jobs/{job_name}/run",
        "/sources",
        "/costs",
    }


def test_an_application_without_settings_takes_those_of_the_environment(module, monkeypatch):
    monkeypatch.setenv("ENVIRONMENT", "staging")

    app = main.create_app()

    assert app.state.settings == Settings(environment="staging")
    app.state.runtime.close()
