"""The start at the first import: once, with what is installed, and never at the application's expense."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from telemetry import setup
from telemetry.distribution import applications, deferred_start
from telemetry.distribution.distro import TelemetryDistro
from telemetry.settings import SettingsError

IMPORTED = ModuleType("fastapi")


class Instrumentor:
    """A fake of another package's; `fails` is what it raises."""

    def __init__(self, log, name, fails=None, *, is_instrumented=False):
        self.log, self.name, self.fails, self.group = log, name, fails, "opentelemetry_instrumentor"
        self.is_instrumented_by_opentelemetry = is_instrumented

    def load(self):
        if isinstance(self.fails, ModuleNotFoundError):
            raise self.fails
        return lambda: self

    def instrument(self, **options):
        if self.fails:
            raise self.fails
        self.log.append((self.name, options))


@pytest.fixture
def log(monkeypatch):
    """What was started and instrumented, in order."""
    log = []
    monkeypatch.setattr(deferred_start._Pending, "has_begun", False)
    monkeypatch.setattr(deferred_start._Pending, "instrumentors", [])
    monkeypatch.setattr(deferred_start, "register_post_import_hook", lambda _hook, name: log.append(f"watch {name}"))
    monkeypatch.setattr(setup, "start", lambda: log.append("start"))
    monkeypatch.setattr(applications, "instrument_new_applications", lambda: log.append("applications"))
    return log


def test_the_telemetry_starts_once_and_instruments_what_is_installed(log):
    distro = TelemetryDistro()
    distro.configure()
    distro.load_instrumentor(Instrumentor(log, "flask"), skip_dep_check=True)

    deferred_start._start(IMPORTED)
    deferred_start._start(IMPORTED)

    assert log == ["watch flask", "start", "applications", ("flask", {"skip_dep_check": True})]


def test_the_instrumentors_that_the_telemetry_replaces_are_left_out(log):
    for name in ("fastapi", "logging"):
        deferred_start.add_instrumentor(Instrumentor(log, name), {})
    deferred_start.add_instrumentor(Instrumentor(log, "httpx", is_instrumented=True), {})

    deferred_start._start(IMPORTED)

    assert log == ["watch httpx", "start", "applications"]


@pytest.mark.parametrize("disabled", ["fastapi", "flask, fastapi", "*"])
def test_fastapi_can_be_disabled_like_any_other(log, monkeypatch, disabled):
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", disabled)

    deferred_start._start(IMPORTED)

    assert log == ["start"]


@pytest.mark.parametrize(
    "error", [ValueError("broken"), ImportError("half"), ModuleNotFoundError("none"), OSError(2, "")]
)
def test_an_instrumentor_that_fails_keeps_neither_the_others_nor_the_application_from_running(log, error):
    deferred_start.add_instrumentor(Instrumentor(log, "broken", error), {})
    deferred_start.add_instrumentor(Instrumentor(log, "flask"), {})

    deferred_start._start(IMPORTED)

    assert ("flask", {}) in log


@pytest.mark.parametrize(
    "error", [SettingsError("PORT is 'x'.\nHOST is ''."), OSError(28, "No space"), RuntimeError("no")]
)
def test_a_start_that_fails_is_one_line_and_nothing_is_instrumented(log, monkeypatch, caplog, error):
    def start():
        raise error

    monkeypatch.setattr(setup, "start", start)

    deferred_start._start(IMPORTED)

    [line] = caplog.messages
    assert "this process is not observed" in line
    assert "\n" not in line
    assert log == []


def test_the_start_waits_for_the_end_of_an_import_that_it_needs(log, monkeypatch):
    half = ModuleType("starlette")
    half.__spec__ = ModuleSpec("starlette", None)
    half.__spec__._initializing = True
    monkeypatch.setitem(sys.modules, "starlette.half", half)

    deferred_start._start(IMPORTED)
    assert log == []
    half.__spec__._initializing = False
    deferred_start._start(IMPORTED)

    assert log == ["start", "applications"]


def test_the_start_itself_does_not_wait_for_the_module_whose_import_ends(log, monkeypatch):
    half = ModuleType("starlette")
    half.__spec__ = ModuleSpec("starlette", None)
    half.__spec__._initializing = True
    monkeypatch.setitem(sys.modules, "starlette.half", half)

    deferred_start._start(half)

    assert log == ["start", "applications"]
