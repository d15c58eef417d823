import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from telemetry.jobs import monitor
from telemetry.jobs.monitor import JobMonitoring, monitor_job
from telemetry.jobs.monitor_arguments import _warned, is_strict

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001  # what is tested
BAD_NAMES = ["", "  ", "x" * 101, "a\nb", "a\ud800", None, 5, b"bytes", ["a"], object()]


@pytest.fixture
def lenient(stage):
    _warned.clear()
    monitor.activate(JobMonitoring(stage.tracer(), is_strict=False))
    return stage


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_does_not_keep_the_body_from_running_in_production(lenient, caplog, name):
    ran = []

    with monitor_job(name):
        ran.append("block")
    monitor_job(name)(lambda: ran.append("function"))()

    assert ran == ["block", "function"]
    assert [run.status for run in lenient.runs] == ["running", "success"] * 2
    assert all(0 < len(run.job_name) <= 100 and run.job_name.isprintable() for run in lenient.runs)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused_in_development(recording, name):
    with pytest.raises(ValueError, match="A job's name is 1 to 100 printable characters"):
        monitor_job(name)


def test_no_other_argument_keeps_the_body_from_running_in_production(lenient):
    async def body():
        async with monitor_job("a", ["no", "mapping"], scheduled_for=NAIVE, max_runtime=timedelta(0)):
            return "ran"

    assert asyncio.run(body()) == "ran"
    assert (lenient.runs[1].outcome, lenient.runs[1].metadata) == ("success", {})
    assert lenient.runs[1].scheduled_for == datetime(2030, 1, 1, tzinfo=UTC)


def test_what_cannot_be_decorated_stays_as_it_is_in_production(lenient):
    def numbers():
        yield 1

    assert list(monitor_job("a")(numbers)()) == [1]
    assert monitor_job("a")(int) is int


@pytest.mark.parametrize("how", ["variable", "file"])
def test_before_the_start_the_environment_decides(monkeypatch, tmp_path, how):
    monitor.deactivate()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    if how == "variable":
        monkeypatch.setenv("ENVIRONMENT", "production")
    else:
        (tmp_path / ".env").write_text("ENVIRONMENT=production\n")

    assert monitor_job("")(lambda: "ran")() == "ran"


def test_only_development_and_tests_are_strict():
    assert all(is_strict(each) for each in ("development", "Test", "ci", "development-sandbox"))
    assert not any(is_strict(each) for each in ("production", "production-sandbox", "staging", "eu-1"))
