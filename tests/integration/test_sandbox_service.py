"""The service and its sandbox: what it says that it does, seen from outside, with hardly a variable set."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import psutil
import pytest

from service.sandbox.credentials import wb_token
from tests.support.processes import Programs, eventually, free_port
from tests.support.sandboxed_service import SYNCS, SandboxedService
from tests.support.sandboxes import SECRETS, SandboxClient, StartedSandbox
from tests.support.sqlite import rows

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sandbox service")]

MINUTE: Final = 60.0


@pytest.fixture(scope="module", autouse=True)
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxedService]:
    """Opened before the first test: what it has to draft by then takes it half a minute."""
    programs = Programs(tmp_path_factory.mktemp("shop"))
    yield SandboxedService.start(programs, ENABLE_JSON_LOGGING="true", LOG_LEVEL="DEBUG")
    programs.kill()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxedService]:
    """Two workers, and one sandbox."""
    programs = Programs(tmp_path_factory.mktemp("pair"))
    try:
        pair = SandboxedService.start(programs, "--workers", "2")
        pair.service.wait_for("/readyz", within=90)
        yield pair
    finally:
        programs.kill()


@pytest.fixture
def migrated(programs: Programs, sqlite_template: Path) -> Programs:
    """Programs whose database is there."""
    (programs.home / "var").mkdir()
    shutil.copy(sqlite_template, programs.home / "var/sovani.db")
    return programs


def test_a_job_runs_by_hand_though_no_service_runs(programs: Programs):
    port = free_port()

    done = programs.run("-m", "service", "run-job", "sync_wb_reviews", SANDBOX="true", SANDBOX_PORT=str(port))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sync_wb_reviews: success in ")
    assert rows(programs.home / "var/sovani.db", "SELECT count(*) > 50, min(marketplace) FROM reviews") == [(1, "wb")]
    assert not SandboxClient.at(port).is_up()


def test_the_doctor_finds_all_four_well_in_the_sandbox(migrated: Programs):
    port = free_port()

    done = migrated.run("-m", "service", "doctor", SANDBOX="true", SANDBOX_PORT=str(port))

    well = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("ok ")}
    assert {"Wildberries", "Ozon", "OpenAI", "Telegram"} <= well
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    assert not SandboxClient.at(port).is_up()


def test_the_doctor_names_the_variable_of_a_token_that_has_been_withdrawn(migrated: Programs):
    sandbox = StartedSandbox.start(migrated)

    done = migrated.run("-m", "service", "doctor", **sandbox.variables(WB_API_TOKEN=wb_token(token_id="withdrawn")))

    [line] = [line for line in done.stdout.splitlines() if "Wildberries" in line]
    assert done.returncode == 1
    assert line.startswith("FAIL")
    assert "WB_API_TOKEN" in line


def test_a_port_of_the_sandbox_that_somebody_else_has_is_one_line(programs: Programs):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = programs.run("-m", "service", "serve", SANDBOX="true", SANDBOX_PORT=str(port), PORT=str(free_port()))

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "SANDBOX_PORT" in line
    assert done.stdout == ""


def test_an_answer_is_refused_by_a_service_without_a_token_for_it(programs: Programs):
    service = programs.serve(SCHEDULER="false")
    service.wait_for("/readyz")

    answer = httpx.post(f"{service.url}/api/v1/reviews/1/answer", json={"text": "Спасибо!"}, trust_env=False)

    assert answer.status_code == 403
    assert "OPS_TOKEN" in answer.json()["detail"]


def test_another_worker_takes_over_the_sandbox_of_one_that_is_killed_and_its_data_are_the_same(pair: SandboxedService):
    review = eventually(lambda: pair.unanswered("wb"))[0]
    assert pair.answer(review, "Спасибо за отзыв!").is_success
    page, sandbox = pair.sandbox.page(), eventually(pair.sandbox_process)
    owner = sandbox.ppid()

    os.kill(owner, signal.SIGKILL)
    sandbox.wait(5)
    eventually(lambda: pair.sandbox.page() == page, within=10)

    [answered] = [kept for kept in pair.sandbox.expected_state("wb", "reviews") if kept["id"] == review["external_id"]]
    assert answered["answer_text"] == "Спасибо за отзыв!"
    assert eventually(pair.sandbox_process).ppid() not in {owner, 1}
    assert "Traceback" not in pair.service.said()


def test_ctrl_c_ends_two_workers_and_their_sandbox(pair: SandboxedService):
    pair.service.wait_for("/readyz", within=90)
    assert eventually(pair.sandbox_process)
    everybody = eventually(pair.processes)

    os.killpg(pair.service.process.pid, signal.SIGINT)  # as a terminal does
    code = pair.service.exit_code()

    assert len(everybody) >= 3
    assert code in {0, 130, -signal.SIGINT}
    assert psutil.wait_procs(everybody.values(), timeout=5)[1] == []
    assert not pair.service.listens()
    assert not pair.sandbox.is_up()
    assert "Traceback" not in pair.service.said()


def test_within_a_minute_there_are_reviews_orders_and_advice(shop: SandboxedService):
    results = eventually(shop.first_results, MINUTE)

    assert results["sync_wb_reviews"]["new"] > 50
    assert results["sync_wb_orders"]["new"] >= 400
    assert results["sync_ozon_reviews"]["new"] >= 120
    assert results["sync_ozon_orders"]["new"] >= 240
    assert all(results[sync]["invalid"] == 0 and results[sync]["pages"] > 1 for sync in SYNCS)
    assert results["generate_advice"]["drafted"] > 20
    assert results["generate_advice"]["cost_usd"] > 0
    for marketplace in ("wb", "ozon"):
        review = shop.unanswered(marketplace)[-1]
        assert len(shop.get(f"/api/v1/orders?marketplace={marketplace}&limit=100").json()["orders"]) == 100
        assert shop.get(f"/api/v1/reviews/{review['id']}").json()["advice"]["outcome"] == "drafted"


def test_the_metrics_of_the_calls_and_of_the_business_have_moved(shop: SandboxedService):
    eventually(shop.first_results, MINUTE)

    metrics = shop.metrics()

    for service in ("wb", "ozon", "openai"):
        assert metrics["external_api_requests_total", service] >= 4
        assert metrics["external_api_duration_seconds_count", service] >= 4
    for marketplace in ("wb", "ozon"):
        assert metrics["reviews_processed_total", marketplace] > 50
        assert metrics["orders_processed_total", marketplace] >= 240
        assert metrics["advice_generated_total", marketplace] > 0
    assert metrics["external_api_wait_seconds_total", "ozon"] > 0
    assert metrics["gen_ai_client_token_usage_sum", ""] > 0
    assert metrics["openai_cost_usd_total", ""] > 0
    assert 'environment="development-sandbox"' in shop.get("/metrics").text


@pytest.mark.parametrize("marketplace", ["wb", "ozon"])
def test_an_answer_is_published_once_and_for_whoever_has_the_token(marketplace: str, shop: SandboxedService):
    review = eventually(lambda: shop.unanswered(marketplace), MINUTE)[0]

    nobody = shop.answer(review, "Спасибо!", token=None)
    once = shop.answer(review, "Спасибо!")
    twice = shop.answer(review, "И ещё раз спасибо!")

    assert nobody.status_code == 401
    assert once.json() in [{"state": state, "text": "Спасибо!"} for state in ("published", "sent")], once.text
    assert once.status_code == (200 if once.json()["state"] == "published" else 202)
    assert twice.status_code == 409
    [kept] = [
        kept for kept in shop.sandbox.expected_state(marketplace, "reviews") if kept["id"] == review["external_id"]
    ]
    assert kept.get("answered") or kept.get("status") == "PROCESSED"


def test_the_phones_page_opens(shop: SandboxedService):
    page = eventually(lambda: httpx.get(f"{shop.sandbox.url}/phone", timeout=10, trust_env=False), MINUTE)

    assert page.status_code == 200
    assert "phone" in page.text


def test_no_secret_is_told_anywhere(shop: SandboxedService):
    eventually(shop.first_results, MINUTE)

    places = {path: shop.get(path).text for path in ("/metrics", "/jobs", "/jobs/status", "/healthz", "/docs")}
    places |= {path: shop.get(path).text for path in ("/api/v1/reviews", "/api/v1/orders", "/openapi.json", "/alerts")}
    files = [path for path in shop.service.out.parent.rglob("*") if path.is_file()]
    places |= {str(path): path.read_bytes().decode("utf-8", "replace") for path in files}

    assert {"sovani.db", "sovani.jsonl", "0.out", "0.err"} <= {Path(path).name for path in places}
    assert [place for place, text in places.items() if any(secret in text for secret in SECRETS)] == []
