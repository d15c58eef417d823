"""A short acceptance test of the contract: monitor_job, /jobs/status and /jobs/stats."""

import pytest
from fastapi.testclient import TestClient

from telemetry.jobs import monitor_job


def newest(client: TestClient, job_name: str) -> dict[str, object]:
    run: dict[str, object] = client.get("/jobs/status", params={"job_name": job_name, "limit": 1}).json()["runs"][0]
    return run


def test_monitor_job_success(client: TestClient):
    with monitor_job("sync_something", metadata={"source": "WB"}) as run:
        run.metadata["records_processed"] = 3

    row = newest(client, "sync_something")
    assert (row["status"], row["outcome"], row["error_message"]) == ("success", "success", None)
    assert row["metadata"] == {"source": "WB", "records_processed": 3}
    assert row["duration_seconds"] >= 0


def test_monitor_job_failure(client: TestClient):
    with pytest.raises(ValueError, match="no such shop"), monitor_job("sync_something"):
        raise ValueError("no such shop")

    row = newest(client, "sync_something")
    assert (row["status"], row["outcome"], row["error_message"]) == ("failed", "error", "no such shop")


def test_get_job_status(client: TestClient):
    for _ in range(3):
        with monitor_job("listed"):
            pass

    runs = client.get("/jobs/status", params={"job_name": "listed", "status": "success", "limit": 2}).json()["runs"]

    assert [run["job_name"] for run in runs] == ["listed", "listed"]
    assert runs[0]["id"] > runs[1]["id"]


def test_get_job_statistics(client: TestClient):
    for number in range(4):
        try:
            with monitor_job("counted"):
                if number == 1:
                    raise RuntimeError("once")
        except RuntimeError:
            continue

    statistics = client.get("/jobs/stats/counted").json()

    assert statistics["job_name"] == "counted"
    assert (statistics["total_runs"], statistics["successful_runs"], statistics["failed_runs"]) == (4, 3, 1)
    assert statistics["success_rate"] == 75.0
    assert statistics["last_status"] == "success"
    assert statistics["avg_duration_seconds"] >= 0
