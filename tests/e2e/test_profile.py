"""The command `profile`, beside a service with two workers under load."""

import json
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.processes import Programs

pytestmark = pytest.mark.e2e
SHOP = """
from service.main import app

def hot_on_purpose():
    return sum(each * each for each in range(200_000))

@app.get("/hot")
def hot() -> int:
    return hot_on_purpose()
"""
LOAD_THREADS = 4


@pytest.fixture
def shop(programs: Programs):
    programs.write("shop.py", SHOP)
    service = programs.uvicorn("shop:app", "--workers", "2")
    service.wait_for("/livez")
    return service


@pytest.fixture
def load(shop):
    """Calls the hot route from several threads until the end of the test."""
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            # A connection each: both workers get some.
            urlopen(f"{shop.url}/hot", timeout=30).close()  # noqa: S310  # loopback

    threads = [threading.Thread(target=call) for _ in range(LOAD_THREADS)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("load")
def test_the_profile_of_two_workers_shows_the_hot_function_in_each(programs: Programs):
    done = programs.run("-m", "service", "profile", "--seconds", "5", "--output", "speedscope.json")

    if "may not be read" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    document = json.loads(Path(programs.home, "speedscope.json").read_text())
    names = [frame["name"] for frame in document["shared"]["frames"]]
    workers = [each for each in document["profiles"] if each["name"].startswith("worker ")]
    assert len(workers) == 2
    for worker in workers:
        samples = zip(worker["samples"], worker["weights"], strict=True)
        hot = sum(weight for stack, weight in samples if any("hot_on_purpose" in names[frame] for frame in stack))
        assert hot > 0.2 * worker["endValue"]
