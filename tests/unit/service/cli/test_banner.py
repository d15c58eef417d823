import re
from pathlib import Path

import pytest

from service.cli.banner import banner
from service.console.unconfigured import unconfigured
from service.jobs.schedule import JOBS
from service.scheduler.job import Schedule
from service.settings import Settings
from tests.support.processes import ROOT

TOKEN = "a-token-of-the-tests"
EVERYTHING = {
    "wb_api_token": TOKEN,
    "ozon_client_id": "1",
    "ozon_api_key": TOKEN,
    "openai_api_key": TOKEN,
    "openai_model": "model",
    "telegram_token": TOKEN,
    "manager_chat_id": "-100",
}


def shown(**settings):
    read = Settings(**settings)
    return banner(read, Schedule(read, JOBS))


def test_the_banner_says_what_runs_where_and_which_pages_are_worth_opening():
    text = shown(environment="staging", port=9090, log_dir="logs")

    assert text.startswith("sovani 0.1.0 (staging)\n")
    assert "\n  Database  sqlite:///var/sovani.db\n  Logs      logs\n" in text
    assert re.search(r"\n  JOB +SCHEDULE\n  check_resources +every 1 min\n  cleanup_logs +daily at 02:40 UTC\n", text)
    for page in ("/console", "/docs", "/healthz", "/jobs", "/metrics"):
        assert f"  http://127.0.0.1:9090{page} " in text


def test_the_banner_names_the_console_only_where_there_is_one():
    assert "/console" not in shown(telemetry_console=False)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/first-minute.md"])
def test_the_addresses_of_a_page_are_those_of_the_banner(page):
    [block] = re.findall(r"```\w*\n( *URL .*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    lines = [line.strip() for line in block.splitlines() if line.strip()]

    assert len(lines) >= 5
    assert set(lines) <= {line.strip() for line in shown(sandbox=True).splitlines()}


def test_the_banner_shows_no_secret():
    text = shown(**EVERYTHING, database_url="postgresql://seller:hunter2@db.example/sovani", ops_token=TOKEN)

    assert "postgresql+psycopg://seller:***@db.example/sovani" in text
    assert "hunter2" not in text
    assert TOKEN not in text


def test_a_process_that_leaves_the_jobs_to_another_says_so():
    assert "\n  Scheduler  off in this process\n" in shown(scheduler=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8080/docs"),
        ("::", "http://127.0.0.1:8080/docs"),
        ("::1", "http://[::1]:8080/docs"),
        ("192.0.2.7", "http://192.0.2.7:8080/docs"),
    ],
)
def test_a_url_can_be_opened_whatever_is_listened_on(host, url):
    assert f"  {url} " in shown(host=host)


def test_each_thing_that_is_not_configured_is_a_sentence_and_nothing_else_is():
    missing = unconfigured(Settings())

    assert list(missing) == ["Wildberries", "Ozon", "OpenAI", "Telegram", "OTLP"]
    assert missing["Ozon"] == "set OZON_CLIENT_ID and OZON_API_KEY"
    assert "\n  NOT CONFIGURED  IN .env OR THE ENVIRONMENT\n  Wildberries     set WB_API_TOKEN\n" in shown()
    assert all(f"  {name:<14}  {how}\n" in shown() for name, how in missing.items())


def test_every_table_is_aligned_and_nothing_is_wider_than_a_terminal():
    _title, *tables = shown(**EVERYTHING, sandbox=True).rstrip("\n").split("\n\n")

    assert len(tables) == 5
    for table in tables:
        cells = [re.split(r" {2,}", line.strip()) for line in table.splitlines()]
        starts = {
            line.index(row[1], 2 + len(row[0])) for line, row in zip(table.splitlines(), cells, strict=True) if row[1:]
        }
        assert len(starts) == 1, table
        assert all(len(line) <= 120 for line in table.splitlines())


@pytest.mark.parametrize(
    ("argv", "executable", "program"),
    [
        ("/usr/bin/sovani", "/usr/bin/python3", "sovani"),
        ("service/__main__.py", "{cwd}/.venv/bin/python", ".venv/bin/python -m service"),
        ("service/__main__.py", "/usr/bin/python3", "python -m service"),
    ],
)
def test_the_next_steps_can_be_copied_as_they_are(monkeypatch, argv, executable, program):
    monkeypatch.setattr("sys.argv", [argv])
    monkeypatch.setattr("sys.executable", executable.format(cwd=Path.cwd()))

    assert f"\n  {program} test-alert  " in shown()


@pytest.mark.parametrize("half", ["ozon_client_id", "ozon_api_key", "openai_api_key", "openai_model"])
def test_half_of_a_pair_is_not_enough(half):
    whole = unconfigured(Settings(**EVERYTHING))

    without = unconfigured(Settings(**{name: value for name, value in EVERYTHING.items() if name != half}))

    assert [name.lower() for name in without if name not in whole] == [half.partition("_")[0]]


def test_with_everything_configured_nothing_is_missing(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318")

    assert unconfigured(Settings(**EVERYTHING)) == {}
    assert "NOT CONFIGURED" not in shown(**EVERYTHING)
