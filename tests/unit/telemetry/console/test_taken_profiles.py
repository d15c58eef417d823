"""Flamegraphs by the console, of this process."""

import re
import threading

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
from telemetry import console
from telemetry.console.pages import taken_profiles
from telemetry.processes.file_lock import FileLock
from telemetry.profiling import FoundProcesses, kept_profiles, py_spy
from telemetry.settings import TelemetrySettings

ORIGIN = {"origin": "http://127.0.0.1:8080"}


@pytest.fixture
def app():
    app = FastAPI(title="library")
    running = telemetry.start(app=app, settings=TelemetrySettings())
    telemetry.create_tables(running.engine)
    console.mount(app)
    app.state.directory = running.settings.data_dir / "profiles"
    yield app
    telemetry.shutdown()


@pytest.fixture
def client(app):
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)


@pytest.fixture
def hot():
    stop = threading.Event()

    def hot_on_purpose():
        while not stop.is_set():
            sum(range(500))

    thread = threading.Thread(target=hot_on_purpose)
    thread.start()
    yield
    stop.set()
    thread.join()


def take(client, **form):
    return client.post("/console/telemetry/profile", data=form, headers=ORIGIN)


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


@pytest.mark.usefixtures("hot")
@pytest.mark.e2e
def test_a_profile_is_taken_listed_and_shown_as_a_drawing_without_scripts(client, monkeypatch):
    monkeypatch.setattr(taken_profiles, "SECONDS", (1,))
    taken = take(client, seconds="1")

    if "may not be read" in taken.text:
        pytest.skip(text(taken))
    page = client.get("/console/telemetry")
    [link] = re.findall(r'href="(/console/profiles/[^"]+)"', page.text)
    drawing = client.get(link)
    assert taken.status_code == 303
    assert taken.headers["location"] == "/console/telemetry"
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert drawing.headers["content-disposition"].startswith("inline; filename=")
    assert "default-src 'none'" in drawing.headers["content-security-policy"]
    assert "hot_on_purpose" in drawing.text


def test_the_page_has_a_button_and_no_profile_yet(client):
    page = client.get("/console/telemetry")

    assert "Take a profile" in page.text
    assert "/console/profiles/" not in page.text


def test_another_duration_than_those_of_the_form_is_refused(client):
    refused = take(client, seconds="3600")

    assert refused.status_code == 409
    assert "A profile takes 5, 10, 30 seconds: choose one of these." in refused.text


def test_a_request_of_another_site_is_refused(client, app):
    refused = client.post(
        "/console/telemetry/profile", data={"seconds": "5"}, headers={"origin": "http://evil.example"}
    )

    assert refused.status_code == 403
    assert not app.state.directory.exists()


def test_two_are_never_taken_at_once(client, app):
    app.state.directory.mkdir()
    lock = FileLock.acquire(app.state.directory / "taken.lock")

    refused, page = take(client), client.get("/console/telemetry")
    lock.close()

    assert refused.status_code == 409
    assert "A profile is being taken already" in refused.text
    assert "A profile is being taken." in page.text
    assert "Take a profile" not in page.text
    assert "Take a profile" in client.get("/console/telemetry").text


def test_without_py_spy_it_says_how_to_install_it(client, monkeypatch):
    monkeypatch.setattr(py_spy.shutil, "which", lambda *_args, **_kwargs: None)

    page, refused = client.get("/console/telemetry"), take(client)

    assert "py-spy is not installed: pip install" in page.text
    assert "Take a profile" not in page.text
    assert (refused.status_code, "py-spy is not installed" in refused.text) == (409, True)


def test_an_unregistered_process_is_said(client, app, monkeypatch):
    monkeypatch.setattr(kept_profiles, "find_processes", lambda *_args, **_kwargs: FoundProcesses(()))

    assert "No process of this service is registered" in take(client).text


@pytest.mark.parametrize("name", ["profile-20261129T160000Z.svg", "../job_runs.db", "taken.lock", "profile-1.svg"])
def test_only_profiles_that_are_there_are_sent(client, app, name):
    app.state.directory.mkdir()
    (app.state.directory / "taken.lock").touch()

    assert client.get(f"/console/profiles/{name}").status_code == 404


def test_a_disk_that_takes_nothing_is_said(client, app):
    app.state.directory.write_text("a file is in the way")

    refused, page = take(client), client.get("/console/telemetry")

    assert refused.status_code == 409
    assert "Profiles cannot be changed now" in refused.text
    assert "Profiles cannot be read now" in page.text
