"""The pages of traces and log lines before anything is kept."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
from telemetry import console
from telemetry.settings import TelemetrySettings


def test_no_line_and_no_trace_yet(tmp_path):
    app = FastAPI()
    telemetry.start(app=app, settings=TelemetrySettings(data_dir=tmp_path / "data"), logs=False)
    console.mount(app)
    client = TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711))

    assert "No trace is kept in the last 1 h" in client.get("/console/traces").text
    assert "No warning has been logged yet" in client.get("/console/logs").text
    assert "No trace is kept yet." in client.get(f"/console/traces/{'0' * 32}").text
    telemetry.shutdown()
