"""The examples of other frameworks, each by its own door: what it serves, its runs, its metrics and what it sends."""

import signal
from importlib.util import find_spec

import pytest

from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e
RUNS = "SELECT job_name, status FROM job_runs ORDER BY id"
SAMPLED = {"OTEL_TRACES_SAMPLER": "always_on"}


def runs_of(programs: Programs):
    return rows(programs.home / "var/app.db", RUNS)


def needs(*modules: str):
    missing = [name for name in modules if not find_spec(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def test_a_script_records_its_job_and_sends_its_metrics_at_its_end(programs: Programs):
    with otlp_receiver() as arrived:
        done = programs.run("-m", "examples.script", OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url, **SAMPLED)

    assert done.returncode == 0, done.stderr
    assert runs_of(programs) == [("count_eggs", "success")]
    assert "job count_eggs" in arrived.spans()
    assert arrived.metrics()["eggs.counted"].sum.data_points[0].as_int == 6


def test_a_worker_of_tasks_records_each_of_them_and_alerts_of_those_that_fail(programs: Programs):
    done = programs.run("-m", "examples.worker")

    assert done.returncode == 0, done.stderr
    assert runs_of(programs) == [("divide", "success"), ("divide", "success"), ("divide", "failed")]
    [(alert,)] = rows(programs.home / "var/alerts/outbox.db", "SELECT words FROM incidents")
    assert alert == "The task divide failed."


SERVERS = {
    "starlette": (("-m", "uvicorn", "examples.starlette_app:app", "--port"), "/books/{book_id}"),
    "flask": (("-m", "examples.flask_app"), "/books/<int:book_id>"),
    "django": (("-m", "examples.django_app"), "books/<int:book_id>"),
}


@pytest.mark.parametrize(
    "framework",
    [
        pytest.param(name, marks=needs(f"opentelemetry.instrumentation.{name}", name), id=name)
        for name in ("starlette", "flask", "django")
    ],
)
def test_another_framework_is_observed_by_its_published_instrumentation(programs: Programs, framework: str):
    command, route = SERVERS[framework]
    with otlp_receiver() as arrived:
        if command[-1] == "--port":
            library = programs.uvicorn(command[2], OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url, **SAMPLED)
        else:
            library = programs.start(*command, OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url, **SAMPLED)
        library.wait_for("/books/7")
        page = library.get("/metrics/" if framework == "starlette" else "/metrics").text
        library.tell(signal.SIGTERM)
        library.exit_code()

    assert f'http_requests_total{{method="GET",endpoint="{route}",status="200"}} 1' in page
    assert 'scheduler_jobs_total{job_name="lend_book",status="success"} 1' in page
    assert runs_of(programs) == [("lend_book", "success")]
    assert "job lend_book" in arrived.spans()
    assert [name for name in arrived.spans() if "GET" in name], arrived.spans()
