"""The example: a service that is not this one, by its own door."""

import httpx
import pytest

from tests.support.processes import Programs, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
def programs(tmp_path):
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


def test_a_library_is_counted_recorded_and_healthy_with_two_workers(programs):
    library = programs.uvicorn("examples.library.app:app", "--workers", "2")
    library.wait_for("/healthz")

    for _ in range(20):
        assert httpx.post(f"{library.url}/books/1/lend", trust_env=False).json() == {"lent": "War and Peace"}
    assert httpx.post(f"{library.url}/books/9/lend", trust_env=False).status_code == 404
    assert httpx.post(f"{library.url}/inventory", trust_env=False).json() == {"books": 2}

    def page():
        found = library.get("/metrics").text
        assert 'books_lent_total{title="War and Peace"} 20' in found
        assert 'http_requests_total{method="POST",endpoint="/books/{book_id}/lend",status="200"} 20' in found
        assert 'scheduler_jobs_total{job_name="take_inventory",status="success"} 1' in found
        return True

    assert eventually(page)
    assert library.get("/healthz").json()["checks"]["database"]["status"] == "ok"


def test_the_library_has_the_console_with_a_page_of_its_own(programs):
    library = programs.uvicorn("examples.library.app:app")
    library.wait_for("/healthz")

    assert "Healthy" in library.get("/console").text
    shown = library.get("/console/books?title=peace").text
    assert ("War and Peace" in shown, "Margarita" in shown) == (True, False)
    with httpx.Client(base_url=library.url, headers={"origin": library.url}, trust_env=False) as browser:
        followed = browser.post("/console/books/2/lend", follow_redirects=True)
        assert (followed.url.path, "Lent The Master and Margarita." in followed.text) == ("/console/books", True)
        assert browser.post("/console/books/9/lend").status_code == 404
