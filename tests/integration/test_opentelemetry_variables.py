"""Wrong variables of OpenTelemetry: one line at the start, also of those that the SDK reads while it is imported."""

import signal
from pathlib import Path

import pytest

from tests.support.distribution import install_entry_points, instrumented_uvicorn
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs

pytestmark = pytest.mark.e2e

WRONG = [
    ({"OTEL_PROPAGATORS": "b3"}, "OTEL_PROPAGATORS is 'b3', but must be one or more of "),
    (
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"},
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT is 'many', but must be a whole number from 0.",
    ),
    ({"OTEL_METRICS_EXEMPLAR_FILTER": "on"}, "OTEL_METRICS_EXEMPLAR_FILTER is 'on', but must be one of "),
]
PLAIN = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/books")
def read_books():
    return {}
"""
STARTS = """
import telemetry
from telemetry.settings import SettingsError

try:
    telemetry.start()
except SettingsError as error:
    print(error)
"""
B3 = """
from opentelemetry.propagators.textmap import TextMapPropagator


class Propagator(TextMapPropagator):
    fields = {"b3"}

    def extract(self, carrier, context=None, getter=None):
        return context

    def inject(self, carrier, context=None, setter=None):
        setter.set(carrier, "b3", "1-1-1")
"""
INJECTS = """
import telemetry
from opentelemetry import propagate

telemetry.start(jobs=False, alerts=False)
carrier = {}
propagate.inject(carrier)
print(carrier)
"""


@pytest.mark.parametrize(("variables", "line"), WRONG)
def test_the_service_ends_with_one_line(programs: Programs, variables, line):
    done = programs.run("-m", "service", "serve", **variables)

    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


def test_another_server_ends_with_the_line(programs: Programs):
    served = programs.uvicorn("service.main:app", OTEL_PROPAGATORS="b3")

    assert served.exit_code() == 1
    assert "OTEL_PROPAGATORS is 'b3', but must be one or more of " in served.said()
    assert "Traceback" not in served.said()


@pytest.mark.parametrize(("variables", "line"), WRONG)
def test_an_application_gets_a_settings_error_from_the_start_and_not_from_the_import(
    programs: Programs, variables, line
):
    programs.write("starts.py", STARTS)

    done = programs.run("starts.py", **variables)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(line)


@pytest.mark.parametrize(("variables", "line"), WRONG[1:])  # the command itself does not start with the first
def test_what_is_instrumented_from_outside_runs_unobserved_and_one_line_says_so(programs: Programs, variables, line):
    install_entry_points(programs.home)
    programs.write("shop.py", PLAIN)

    shop = instrumented_uvicorn(programs, "shop:app", **variables)
    shop.wait_for("/books", within=90)
    shop.tell(signal.SIGTERM)
    shop.exit_code()

    assert f"The telemetry did not start; this process is not observed. {line}" in shop.said()
    assert "Traceback" not in shop.said()


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_propagator_works_where_it_is_installed(programs: Programs, place):
    _install_b3(programs.home)
    programs.write("injects.py", INJECTS)
    programs.write(".env", "OTEL_PROPAGATORS=b3\n" if place == ".env" else "")

    done = programs.run("injects.py", **({"OTEL_PROPAGATORS": "b3"} if place == "environment" else {}))

    assert done.stdout == "{'b3': '1-1-1'}\n", done.stderr


def test_blank_variables_are_unset(programs: Programs):
    names = (
        *("OTEL_PROPAGATORS", "OTEL_METRICS_EXEMPLAR_FILTER", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_METRIC_EXPORT_INTERVAL"),
        *("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_PYTHON_TRACER_PROVIDER"),
    )
    programs.write("starts.py", STARTS)
    with otlp_receiver() as arrived:
        done = programs.run("starts.py", OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url, **dict.fromkeys(names, " "))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _install_b3(home: Path) -> None:
    """A package with a propagator of that name."""
    (home / "b3.py").write_text(B3)
    info = home / "b3-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: b3\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[opentelemetry_propagator]\nb3 = b3:Propagator\n")
