"""The contract with users and their tools, as data, against the real application."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from service import __version__
from service.cli.parser import make_parser
from service.main import create_app
from service.names import MARKETPLACE, STATUS
from service.settings import Settings
from telemetry import setup
from telemetry.jobs import monitor_job
from tests.contract.metrics import CONTRACT
from tests.support.console_pages import is_of_console
from tests.support.processes import ROOT

DEFAULTS = {
    "database_url": "sqlite:///var/sovani.db",
    "data_dir": Path("var"),
    "log_dir": Path("var/log"),
    "environment": "development",
    "host": "127.0.0.1",
    "port": 8080,
    "sandbox": False,
    "telegram_token": None,
    "manager_chat_id": None,
    "telegram_api_url": "https://api.telegram.org",
    "telegram_thread_id": None,
    "alert_threshold_disk": 90,
    "alert_threshold_memory": 90,
    "alert_threshold_job_failures": 3,
    "log_level": "INFO",
    "enable_json_logging": False,
    "wb_api_token": None,
    "wb_client_secret": None,
    "ozon_client_id": None,
    "ozon_api_key": None,
    "openai_api_key": None,
    "openai_model": None,
    "ops_token": None,
    "job_runs_keep_days": 90,
    "metrics_names": "service",
    "otel_traces_sampler": "parentbased_traceidratio",
    "otel_traces_sampler_arg": 1.0,
}
ENDPOINTS = {
    "/metrics",
    "/health",
    "/healthz",
    "/livez",
    "/readyz",
    "/readyz/{check}",
    "/jobs/status",
    "/jobs/runs/{run_id}",
    "/jobs/stats/{job_name}",
    "/jobs/{job_name}/pause",
    "/jobs/{job_name}/resume",
    "/jobs/{job_name}/run",
    "/jobs",
    "/alerts",
    "/alerts/{alert_id}/acknowledge",
    "/sources",
    "/costs",
    "/api/v1/reviews",
    "/api/v1/reviews/{review_id}",
    "/api/v1/reviews/{review_id}/advice",
    "/api/v1/reviews/{review_id}/answer",
    "/api/v1/orders",
    "/docs",
    "/docs/{asset}",
    "/openapi.json",
}
COMMANDS = (
    ["serve"],
    ["serve", "--workers", "2", "--host", "::1", "--port", "9000", "--no-scheduler"],
    ["scheduler"],
    ["jobs"],
    ["run-job", "check_resources"],
    ["doctor"],
    ["test-alert"],
)
FASTAPIS_OWN = {"/redoc", "/docs/oauth2-redirect"}


@pytest.fixture(scope="module")
def app(tmp_path_factory, sqlite_template):
    """The application on a migrated database, after each kind of event has happened once."""
    home = tmp_path_factory.mktemp("contract")
    (home / "sovani.db").write_bytes(sqlite_template.read_bytes())
    app = create_app(
        Settings(
            database_url=f"sqlite:///{home}/sovani.db",
            data_dir=home,
            log_dir=home / "log",
            scheduler=False,
            wb_feedbacks_url="http://127.0.0.1:1",
        )
    )
    everything_once(app)
    yield app
    setup.shutdown()
    app.state.runtime.engine.dispose()


def everything_once(app):
    @app.get("/crash", include_in_schema=False)
    def crash():
        raise ZeroDivisionError

    client = TestClient(app, raise_server_exceptions=False)
    client.get("/jobs")
    client.get("/crash")
    with monitor_job("sync_wb_reviews"), app.state.runtime.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as marketplace:
        marketplace.get("http://127.0.0.1:1/api/v1/feedbacks")
    app.state.runtime.instruments.reviews_processed.add(1, {MARKETPLACE: "wb", STATUS: "created"})


@pytest.fixture(scope="module")
def page(app):
    """The families of `/metrics`, by the name of their `# TYPE`."""
    shown = TestClient(app).get("/metrics").text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", shown, re.MULTILINE))
    families = {family.name: family for family in text_string_to_metric_families(shown)}
    return {name: (kind, families[name.removesuffix("_total")].samples) for name, kind in types.items()}


@pytest.mark.parametrize(("name", "kind", "labels"), CONTRACT, ids=[name for name, _, _ in CONTRACT])
def test_a_metric_has_its_name_its_type_and_its_labels(page, name, kind, labels):
    found_kind, samples = page[name]

    assert found_kind == kind
    assert samples
    assert {frozenset(sample.labels) - {"le"} for sample in samples} == {frozenset(labels)}


def test_the_names_of_a_summary_are_there_too(page):
    names = {sample.name for sample in page["scheduler_job_duration_seconds"][1]}

    assert {"scheduler_job_duration_seconds_sum", "scheduler_job_duration_seconds_count"} <= names


def test_the_buckets_of_requests_go_from_ten_milliseconds_to_ten_seconds(page):
    bounds = {float(s.labels["le"]) for s in page["http_request_duration_seconds"][1] if "le" in s.labels}

    assert (min(bounds), sorted(bounds)[-2:]) == (0.01, [10.0, float("inf")])


def test_a_failing_request_a_crash_and_a_query_have_the_labels_of_the_contract(page):
    def labels_of(name):
        return [sample.labels for sample in page[name][1]]

    assert {"service": "wb", "endpoint": "/api/v1/feedbacks", "status": "error"} in labels_of(
        "external_api_requests_total"
    )
    assert {"method": "GET", "endpoint": "/crash", "status": "500"} in labels_of("http_requests_total")
    assert {"error_type": "ZeroDivisionError", "component": "http"} in labels_of("errors_total")
    assert {labels["query_type"] for labels in labels_of("db_query_duration_seconds")} >= {"select", "insert"}
    assert labels_of("app_info") == [{"version": __version__, "environment": "development"}]


def test_every_endpoint_of_the_contract_is_there(app):
    found = {route.path.replace(":path}", "}") for route in iter_route_contexts(app.routes)}

    programs = {path for path in found if not is_of_console(path)}  # the console is for people
    assert programs - FASTAPIS_OWN - {"/", "/crash"} == ENDPOINTS


def test_the_reference_names_every_endpoint_and_every_metric():
    reference = ROOT / "docs" / "reference"

    endpoints, metrics = ((reference / f"{name}.md").read_text() for name in ("http-api", "metrics"))

    assert [path for path in ENDPOINTS if f"{path}`" not in endpoints] == []
    assert [name for name, _, _ in CONTRACT if f"`{name}`" not in metrics] == []


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_is_there_and_the_reference_names_it(arguments):
    assert callable(make_parser("sovani").parse_args(arguments).command)
    assert f"\n## `{arguments[0]}`\n" in (ROOT / "docs/reference/commands.md").read_text()


@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "e2e", "soak"])
def test_make_has_its_targets_and_the_pages_for_people_name_them(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    pages = "".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))
    assert re.search(rf"\bmake {target}\b", pages)


def test_the_default_of_a_setting_is_the_contracts(monkeypatch):
    for name in ("DATA_DIR", "LOG_DIR"):
        monkeypatch.delenv(name)

    read = Settings.read()

    assert {name: getattr(read, name) for name in DEFAULTS} == DEFAULTS


def variables():
    """The variables of .env.example and their values, also of those that are commented out."""
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_env_example_names_every_setting_and_nothing_that_is_none():
    settings = {name.upper() for name in Settings.model_fields}

    assert settings - set(variables()) == set()
    assert {name for name in variables() if not name.startswith("OTEL_")} - settings == set()


def test_env_example_names_the_otel_variables_that_one_begins_with():
    assert {name for name in variables() if name.startswith("OTEL_")} >= {
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
    }


def test_env_example_shows_the_defaults(monkeypatch, tmp_path):
    """Read with every `#` removed: each value is valid for its variable."""
    for name in ("DATA_DIR", "LOG_DIR"):
        monkeypatch.delenv(name)
    shown = {name: value for name, value in variables().items() if value and not name.startswith("OTEL_EXPORTER")}
    for name, value in shown.items():
        monkeypatch.setenv(name, value)

    assert Settings.read() == Settings(
        **{name: getattr(Settings.model_construct(), name) for name in DEFAULTS} | {"sandbox": True}
    )


def test_the_sandbox_is_on_in_env_example_and_off_without_it():
    assert re.search(r"^SANDBOX=true$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_the_changelog_has_this_version():
    assert f"## [{__version__}] " in (ROOT / "CHANGELOG.md").read_text()


def test_the_version_is_the_projects():
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
