"""Types for users: `mypy --strict`, without pydantic's plugin, finds nothing in a file that uses the public names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

USER = """
from datetime import timedelta

from fastapi import FastAPI

import telemetry
from telemetry.alerts import AlertLevel, get_alert_service
from telemetry.health.checks import timed
from telemetry.jobs import monitor_job
from telemetry.logs import setup_logging
from telemetry.metrics import LabelMapping, MetricMapping
from telemetry.settings import TelemetrySettings


class Settings(TelemetrySettings):
    service_name = "shop"
    greeting: str = "hello"


EGGS = MetricMapping("eggs_total", "counter", "eggs", "Eggs.", (LabelMapping("colour", "colour"),))
app = FastAPI()
settings = Settings(log_level="DEBUG")
setup_logging(settings)
options = telemetry.TelemetryOptions(metric_mappings=(EGGS,))
running = telemetry.start(app=app, settings=settings, options=options, alerts=False)
app.include_router(telemetry.router(checks={"eggs": timed(lambda: None)}))
telemetry.create_tables(running.engine)
counter = running.meter("shop").create_counter("eggs")


@monitor_job("count", max_runtime=timedelta(minutes=1))
def count(number: int) -> int:
    counter.add(number, {"colour": "brown"})
    return number


with monitor_job("again") as run:
    run.metadata["eggs"] = count(2)
get_alert_service().report("no eggs", AlertLevel.WARNING)
page, kind = running.metrics.page.render()
reveal_type(count)
reveal_type(page)
"""


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_mypy_strict_finds_nothing_in_a_users_file_nor_in_the_library(tmp_path: Path):
    file = tmp_path / "shop.py"
    file.write_text(USER)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", str(file)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert '"def (number: int) -> int"' in done.stdout
    assert '"bytes"' in done.stdout
