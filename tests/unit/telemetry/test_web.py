"""The endpoints for any application: the router of FastAPI, and the metrics page for ASGI and WSGI."""

import logging
from urllib.parse import quote
from wsgiref.util import setup_testing_defaults

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
from telemetry.jobs import monitor_job
from telemetry.settings import TelemetrySettings

PROBES = ("/healthz", "/livez", "/readyz")
PROTECTED = ("/metrics", "/jobs", "/jobs/status", "/jobs/stats/count_eggs", "/alerts")


@pytest.fixture(autouse=True)
def _shut_down():
    yield
    telemetry.shutdown()


def client_of(checks=None, **how):
    app = FastAPI()
    app.include_router(telemetry.router(checks=checks))
    running = telemetry.start(app=app, **how)
    telemetry.create_tables(running.engine)
    with monitor_job("count_eggs") as run:
        run.metadata["eggs"] = 6
    logging.getLogger("farm").error("an egg is broken")
    return TestClient(app)


def test_one_line_gives_an_application_all_endpoints():
    client = client_of()

    bodies = {path: client.get(path) for path in (*PROBES, *PROTECTED)}

    assert {path: response.status_code for path, response in bodies.items()} == dict.fromkeys(bodies, 200)
    assert 'scheduler_jobs_total{job_name="count_eggs",status="success"} 1' in bodies["/metrics"].text
    assert bodies["/jobs"].json()["jobs"][0]["job_name"] == "count_eggs"
    assert bodies["/jobs/status"].json()["runs"][0]["metadata"] == {"eggs": 6}
    [run] = bodies["/jobs/status"].json()["runs"]
    assert client.get(f"/jobs/runs/{run['run_id']}").json() == run
    assert bodies["/jobs/stats/count_eggs"].json()["success_rate"] == 100.0
    assert bodies["/alerts"].json()["alerts"][0]["text"] == "an egg is broken"
    assert set(bodies["/healthz"].json()["checks"]) == {"database", "disk", "memory", "uptime", "timestamp"}
    assert client.get("/openapi.json").status_code == 200


def test_the_token_of_the_operator_is_wanted_for_all_but_the_probes():
    client = client_of(settings=TelemetrySettings(ops_token="opensesame"))

    for path in PROBES:
        assert client.get(path).status_code == 200
    assert client.get("/jobs/runs/0").status_code == 401
    for path in PROTECTED:
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer opensesame"}).status_code == 200


def test_before_the_start_the_endpoints_say_so_and_liveness_holds():
    app = FastAPI()
    app.include_router(telemetry.router())
    client = TestClient(app)

    for path in {*PROBES, *PROTECTED} - {"/livez"}:
        response = client.get(path)
        assert response.status_code == 503
        assert "telemetry.start(app=app)" in response.json()["detail"]
    assert client.get("/livez").status_code == 200


def test_parts_that_are_off_are_404_with_a_sentence():
    app = FastAPI()
    app.include_router(telemetry.router())
    telemetry.start(app=app, jobs=False, alerts=False)
    client = TestClient(app)

    assert "jobs=False" in client.get("/jobs/status").json()["detail"]
    assert "alerts=False" in client.get("/alerts").json()["detail"]
    assert client.get("/readyz").status_code == 200
    assert "database" not in client.get("/healthz").json()["checks"]


def test_the_applications_own_checks_are_among_those_of_readiness():
    def no_eggs():
        raise RuntimeError("no eggs")

    client = client_of(checks={"eggs": no_eggs})

    assert client.get("/readyz").status_code == 503
    assert "[-]eggs failed" in client.get("/readyz").text
    assert client.get("/healthz").json()["checks"]["eggs"]["status"] == "error"


@pytest.mark.parametrize("name", ["a/b", "/a", "a/", "a//b", "status/../x", "a b?c#d", "да/нет", "stats/a/b"])
def test_a_job_may_have_any_name_in_the_path(name):
    client = client_of()
    with monitor_job(name):
        pass

    response = client.get(f"/jobs/stats/{quote(name, safe='')}")

    assert response.status_code == 200, response.text
    assert response.json()["job_name"] == name


@pytest.mark.parametrize(
    "path", ["/jobs/stats/unknown", "/jobs/runs/unknown", "/jobs/status?limit=0", "/jobs/stats/count_eggs?window=never"]
)
def test_what_there_is_not_is_refused(path):
    assert client_of().get(path).status_code in {404, 422}


def test_without_the_tables_the_jobs_are_unavailable(monkeypatch):
    monkeypatch.setattr("telemetry.error_text._registered", {})
    app = FastAPI()
    app.include_router(telemetry.router())
    telemetry.start(app=app)

    response = TestClient(app).get("/jobs/status")

    assert response.status_code == 503
    assert "a table is missing" in response.json()["detail"]


def wsgi(**environ):
    setup_testing_defaults(environ)
    said = []
    body = b"".join(telemetry.wsgi_metrics_app(environ, lambda *given: said.append(given)))
    return said[0][0], dict(said[0][1]), body.decode()


def test_the_page_for_wsgi_and_asgi_is_the_one_of_the_router():
    assert wsgi()[0].startswith("503")
    assert TestClient(telemetry.asgi_metrics_app).get("/").status_code == 503
    client_of()

    status, headers, body = wsgi()
    asgi = TestClient(telemetry.asgi_metrics_app)

    assert (status, headers["Content-Type"]) == ("200 OK", "text/plain; version=0.0.4; charset=utf-8")
    assert 'scheduler_jobs_total{job_name="count_eggs",status="success"} 1' in body
    assert wsgi(HTTP_ACCEPT="application/openmetrics-text")[2].endswith("# EOF\n")
    assert 'scheduler_jobs_total{job_name="count_eggs",status="success"} 1' in asgi.get("/").text
    assert asgi.get("/", headers={"accept": "application/openmetrics-text"}).text.endswith("# EOF\n")
    assert wsgi(REQUEST_METHOD="HEAD")[2] == asgi.head("/").text == ""


def test_the_pages_want_the_token_as_well():
    client_of(settings=TelemetrySettings(ops_token="opensesame"))

    assert wsgi()[0].startswith("401")
    assert wsgi(HTTP_AUTHORIZATION="Bearer opensesame")[0].startswith("200")
    assert TestClient(telemetry.asgi_metrics_app).get("/").status_code == 401
