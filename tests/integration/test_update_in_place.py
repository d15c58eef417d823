"""An update in place: the service finds a database, an outbox and a spool that an earlier version left behind.

`previous_version/` was written by version 0.1.0 at revision e1f7a94b0c28: a database of some rows a table, an outbox with two unsent
alerts, and the spool of a process that was killed with three runs in it while its database was unavailable.
"""

import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.processes import Programs, eventually
from tests.support.sandboxed_service import SandboxedService

pytestmark = pytest.mark.e2e

LEFT = Path(__file__).with_name("previous_version")
SPOOLED = {
    "9e06d28f6b5e227c99101f9c772a62d7ea0f9dbced4f927d": (
        "sync_wb_orders",
        "success",
        {"source": "WB", "records_processed": 12},
    ),
    "0d3bbed0dd47ac1f32bd6847c0454f89beb4c7305622490a": ("sync_ozon_orders", "error", {}),
    "2a43e8ac25050d1e0f11e41e6eca0038f0a623deaa7e8ab6": ("generate_advice", "lost", {}),
}
WRITTEN_AT = 1795878053
OUTBOX_TIMES = (
    "UPDATE incidents SET first_at = first_at + :later, last_at = last_at + :later, due_at = due_at + :later",
    "UPDATE sends SET at = at + :later",
    "UPDATE channels SET paused_until = paused_until + :later",
    "UPDATE leases SET until = until + :later",
)
UNSENT = {"Stock is counted", "Order 7 cannot be read"}


def restore(file: Path, dump: str, later: float = 0.0) -> list[int]:
    """Write the database `file` from its dump; an outbox is made `later` by that many seconds. Returns the ids of its job runs."""
    with sqlite3.connect(file) as database:
        database.executescript((LEFT / dump).read_text())
        for statement in OUTBOX_TIMES if later else ():
            database.execute(statement, {"later": later})
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        runs = database.execute("SELECT id FROM job_runs").fetchall() if "job_runs" in tables else []
    database.close()
    return [number for (number,) in runs]


@pytest.fixture
def updated(programs: Programs) -> tuple[SandboxedService, list[int]]:
    """A service of this version, started on what the earlier one left. And the ids of the runs that it had recorded."""
    var = programs.home / "var"
    for directory in (var / "alerts", var / "spool" / "job_runs"):
        directory.mkdir(parents=True)
    recorded = restore(var / "sovani.db", "database.sql")
    # The alerts are a minute old: those that are not errors expire after a day.
    restore(var / "alerts" / "outbox.db", "outbox.sql", later=time.time() - 60 - WRITTEN_AT)
    spool = var / "spool" / "job_runs" / "1d49ccffa9da4fa0be5fdaa75279f9b2.000000.runs"
    shutil.copy(LEFT / "spool.runs", spool)
    spool.with_name("1d49ccffa9da4fa0be5fdaa75279f9b2.lock").touch()
    return SandboxedService.start(programs), recorded


def test_what_an_earlier_version_left_is_read_by_this_one(updated: tuple[SandboxedService, list[int]]):
    service, recorded = updated
    service.service.wait_for("/readyz")

    def spooled() -> bool:
        runs = {run["run_id"]: run for run in service.get("/jobs/status?limit=1000").json()["runs"]}
        found = {name: runs[name] for name in SPOOLED if name in runs}
        assert {name: (run["job_name"], run["outcome"], run["metadata"]) for name, run in found.items()} == SPOOLED
        assert {run["id"] for run in runs.values()} >= set(recorded)
        return True

    def sent() -> bool:
        alerts = {alert["text"]: alert for alert in service.get("/alerts?limit=100").json()["alerts"]}
        assert {text for text in UNSENT if alerts.get(text, {}).get("sent_at")} == UNSENT
        return True

    assert eventually(spooled, within=90)
    assert eventually(sent, within=90)
    assert service.get("/api/v1/reviews?limit=50").json()["reviews"]
    assert service.get("/api/v1/orders?limit=50").json()["orders"]
    assert len(recorded) >= 5
