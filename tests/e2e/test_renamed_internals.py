"""The next SDK: each private name of OpenTelemetry that the telemetry knows is renamed in turn, in a copy of all its packages."""

import re
import shutil
from pathlib import Path

import opentelemetry.sdk.trace
import pytest

from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import ROOT, Programs
from tests.support.sqlite import rows

PACKAGES = Path(opentelemetry.sdk.trace.__file__).parents[3]
# Of these, the documentation says that a version will drop the underscore, or that a subclass is to define them.
UNSTABLE = ("_logs", "_log_exporter", "_Gauge", "_NoOpGauge")
DOCUMENTED = ("_receive_metrics",)
ATTRIBUTES = (
    "_measurement_consumer",
    "_reader_storages",
    "_is_enabled",
    "_sdk_config",
    "_attributes_aggregation",
    "_instrument_view_instrument_matches",
    "_remove_event_listener_params",
)
MODULES = ("_internal", "_view_instrument_match", "_tracer_metrics", "measurement_consumer")
NAMESPACED = (
    "_decorator",
)  # a module of a namespace package, whose original is found all the same: its name is tried instead
NAMES = ("_hash_attributes", "Lock", "_agnosticcontextmanager")
PROGRAM = """
import logging
import telemetry
from telemetry.jobs import Base, monitor_job

running = telemetry.start()
Base.metadata.create_all(running.engine)
meter = running.meter("test")
for _ in range(3):
    meter.create_counter("eggs").add(2, {"colour": "brown"})
    meter.create_histogram("weight", "g").record(5, {"colour": "brown"})
    meter.create_gauge("left").set(7, {"colour": "brown"})
with monitor_job("count_eggs"):
    logging.getLogger("farm").error("an egg is broken")
print(running.metrics.page.render()[0].decode())
telemetry.shutdown()
"""


def private_names() -> set[str]:
    """Every private part of a name of OpenTelemetry in the source of the telemetry."""
    found: set[str] = set()
    for path in (ROOT / "telemetry").rglob("*.py"):
        text = path.read_text()
        for dotted in re.findall(r"\bopentelemetry[\w.]*", text):
            found.update(part for part in dotted.split(".") if part.startswith("_"))
        for names in re.findall(r"from opentelemetry[\w.]* import (\([^)]*\)|[^\n]*)", text):
            found.update(re.findall(r"\b_\w+", names))
    return found


def renamed(tree: Path, name: str) -> Path:
    """A copy of OpenTelemetry's packages in which a name is another one everywhere, also in FastAPI if that uses it.

    The bytecode comes along: Python compiles only what has another date then.
    """
    other = name.lstrip("_") if name in UNSTABLE else f"{name}_of_the_next_version"
    for package in ("opentelemetry", *(("fastapi",) if name == "_logs" else ())):
        shutil.copytree(PACKAGES / package, tree / package, ignore=shutil.ignore_patterns("*.pyi"))
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.suffix == ".py" and name in (text := path.read_text()):
            path.write_text(_rename(text, name, other))
        if path.stem == name:
            path.rename(path.with_name(other + path.suffix))
    return tree


def _rename(text: str, name: str, other: str) -> str:
    """In the source of a module. What is Python's own keeps its name."""
    if name == "_Gauge" and "import Gauge as _Gauge\n" not in text:  # the SDK has a class of its own with that name
        text = re.sub(r"(from opentelemetry\.metrics import )_Gauge", r"\1Gauge", text)
        return re.sub(r"(from opentelemetry\.metrics import \([^)]*?)\b_Gauge", r"\1Gauge as _Gauge", text)
    text = re.sub(rf"(?<!\w){name}(?!\w)", other, text)
    text = re.sub(rf"(from threading import [^\n]*?){other}", rf"\1{name} as {other}", text)
    return text.replace(f"threading.{other}", f"threading.{name}")


def test_every_private_name_of_opentelemetry_is_known_here():
    assert private_names() <= {*UNSTABLE, *ATTRIBUTES, *MODULES, *NAMESPACED, *NAMES}


@pytest.mark.e2e
@pytest.mark.parametrize("name", [*UNSTABLE, *ATTRIBUTES, *MODULES, *NAMES])
def test_without_a_private_name_everything_is_measured_and_one_line_says_so(name: str, tmp_path: Path):
    programs = Programs(tmp_path)
    tree = renamed(tmp_path / "next", name)
    programs.write("farm.py", PROGRAM)

    with otlp_receiver() as arrived:
        done = programs.run(
            "-W",
            "ignore",
            "-m",
            "farm",
            PYTHONPATH=f"{tree}:{ROOT}:{programs.home}",
            PYTHONDONTWRITEBYTECODE="1",
            OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url,
        )

    assert done.returncode == 0, done.stderr
    assert 'eggs_total{colour="brown"} 6' in done.stdout
    assert 'weight_grams_sum{colour="brown"} 15' in done.stdout
    assert 'left{colour="brown"} 7' in done.stdout
    assert 'errors_total{error_type="log",component="farm"} 1' in done.stdout, done.stdout
    assert rows(programs.home / "var/app.db", "SELECT job_name, status FROM job_runs") == [("count_eggs", "success")]
    assert "job count_eggs" in arrived.spans()
    said = [line for line in done.stderr.splitlines() if "This version of OpenTelemetry's SDK has no " in line]
    assert len(said) == (0 if name in UNSTABLE else 1), done.stderr
    assert all(name in line for line in said)
