"""What a run costs: the CPU time of all threads that work for it, and nothing of the time that it waits."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from telemetry.costs import LEDGER, Prices, charge
from telemetry.costs.account import PENDING
from telemetry.costs.cost_ledger import JOB
from telemetry.costs.worker_threads import charge_worker_threads, leave_worker_threads
from telemetry.jobs import monitor, monitor_job
from telemetry.jobs.monitor import JobMonitoring
from telemetry.threads.daemon import start_daemon
from tests.support.job_spans import processor_into

CPU_HOUR = 36.0
SECOND_USD = 0.01


def burn(seconds):
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        sum(range(1000))


@pytest.fixture
def runs():
    ended = []
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(processor_into(lambda run: ended.append(run) if run.finished_at else None))
    monitor.activate(JobMonitoring(provider.get_tracer("tests"), prices=Prices(cpu_hour=CPU_HOUR)))
    charge_worker_threads()
    yield ended
    leave_worker_threads()
    monitor.deactivate()


@pytest.mark.parametrize(("seconds", "pause"), [(0.2, 0.3), pytest.param(1.0, 5.0, marks=pytest.mark.e2e)])
def test_a_run_costs_the_cpu_time_of_its_threads_and_not_the_time_that_it_waits(runs, seconds, pause):
    with monitor_job("burner"):
        threads = [threading.Thread(target=burn, args=(seconds,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(pause)

    assert runs[0].cpu_seconds == pytest.approx(2 * seconds, rel=0.05)
    assert runs[0].cost_usd == pytest.approx(2 * seconds * SECOND_USD, rel=0.05)


def test_a_subclass_of_a_thread_with_a_run_of_its_own_is_charged_as_well(runs):
    class Burner(threading.Thread):
        def run(self):
            burn(0.1)

    with monitor_job("burner"):
        thread = Burner()
        thread.start()
        thread.join()

    assert runs[0].cpu_seconds == pytest.approx(0.1, rel=0.1)


def test_the_work_of_a_pool_is_charged_to_each_run_that_hands_it_over(runs):
    with ThreadPoolExecutor(1) as pool:
        for name, seconds in (("first", 0.1), ("second", 0.2)):
            with monitor_job(name):
                pool.submit(burn, seconds).result()

    assert [run.cpu_seconds for run in runs] == pytest.approx([0.1, 0.2], rel=0.1)


def test_a_thread_that_is_still_at_work_is_charged_up_to_the_end_of_the_run(runs):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            burn(0.01)

    with monitor_job("leaves work behind"):
        thread = threading.Thread(target=work)
        thread.start()
        burn(0.1)
    stop.set()
    thread.join()

    assert runs[0].cpu_seconds > 0.1


def test_a_thread_that_works_for_all_is_charged_to_nobody(runs):
    done = threading.Event()

    def work():
        burn(0.2)
        done.set()

    with monitor_job("starts a writer"):
        start_daemon(work, "a-writer")
        done.wait(30)

    assert runs[0].cpu_seconds < 0.1


def test_a_coroutine_is_charged_for_its_own_steps_only(runs):
    @monitor_job("steps")
    async def job():
        for _ in range(5):
            burn(0.02)
            await asyncio.sleep(0.001)
        await asyncio.to_thread(burn, 0.1)

    async def others():
        for _ in range(10):
            burn(0.02)
            await asyncio.sleep(0.001)

    async def both():
        await asyncio.gather(job(), others())

    asyncio.run(both())

    assert runs[0].cpu_seconds == pytest.approx(0.2, rel=0.1)


def test_a_block_in_a_coroutine_is_not_measured(runs):
    async def job():
        async with monitor_job("a block"):
            burn(0.01)
            await asyncio.sleep(0)

    asyncio.run(job())

    assert (runs[0].cpu_seconds, runs[0].cost_usd) == (None, None)


def test_a_run_inside_a_run_is_charged_once(runs):
    with monitor_job("outer"):
        burn(0.1)
        with monitor_job("inner"):
            burn(0.2)

    assert {run.job_name: run.cpu_seconds for run in runs} == pytest.approx({"inner": 0.2, "outer": 0.1}, rel=0.15)


def test_what_another_service_charges_belongs_to_the_run_also_from_its_threads(runs):
    with monitor_job("drafts"), ThreadPoolExecutor(1) as pool:
        charge(0.5)
        pool.submit(charge, 0.25).result()

    assert runs[0].cost_usd == pytest.approx(0.75 + runs[0].cpu_seconds * SECOND_USD)


def test_outside_of_runs_and_requests_nothing_is_charged():
    charge(1.0)

    assert all(key[1] != "service" for key in LEDGER.usage() if key[0] == "openai")


def test_without_a_price_a_run_has_seconds_and_no_money():
    assert Prices().of_run(2.0, 0.0) is None
    assert Prices().of_run(2.0, 0.5) == 0.5
    assert Prices(cpu_hour=3600).of_run(2.0, 0.5) == 2.5


def test_a_failed_run_costs_what_it_used(runs):
    @monitor_job("fails")
    def fail():
        burn(0.1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert runs[0].cpu_seconds == pytest.approx(0.1, rel=0.1)


def test_the_names_and_idle_time_are_the_cpu_time_of_the_process(runs, monkeypatch):
    monkeypatch.setattr(LEDGER, "_totals", {})  # other tests charge what no process has used
    monkeypatch.setattr(LEDGER, "_idle", 0.0)
    monkeypatch.setattr(PENDING, "cpu_seconds", 0.0)
    before, began = LEDGER.cpu_seconds(), time.process_time()
    with monitor_job("named"):
        burn(0.1)
    burn(0.1)
    after, used = LEDGER.cpu_seconds(), time.process_time() - began

    grown = {key: seconds - before.get(key, 0.0) for key, seconds in after.items()}
    assert sum(grown.values()) == pytest.approx(used, rel=0.03)
    assert grown[JOB, "named"] == pytest.approx(0.1, rel=0.1)
    assert grown["service", "idle"] >= 0.09
