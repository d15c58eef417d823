import asyncio
import gc
import logging
import socket
import threading
import time

import pytest
from sqlalchemy import text

from telemetry.database import create_engine
from telemetry.error_text import CheckFailed
from telemetry.health.report import CheckResult
from telemetry.health.runner import HealthChecks

LATE = CheckResult.failed("no response within 700 ms")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Counted:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.error = error

    def __call__(self) -> None:
        self.calls += 1
        if self.error:
            raise self.error


def run(checks: HealthChecks, *names: str):
    return asyncio.run(checks.run(names or None)).results


def threads_of(prefix: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)]


def test_a_check_that_returns_is_ok_and_its_figures_are_told():
    checks = HealthChecks({"ping": lambda: True, "disk": lambda: CheckResult("warning", {"free_gb": 1})})

    results = run(checks)

    assert results == {"ping": CheckResult(), "disk": CheckResult("warning", {"free_gb": 1})}


def test_what_hangs_what_fails_and_what_is_slow_are_told_together_within_the_deadline(hang):
    def slow() -> None:
        time.sleep(0.1)

    def broken() -> None:
        raise CheckFailed("the queue is full")

    checks = HealthChecks({"hung": hang, "slow": slow, "broken": broken, "fine": lambda: None})

    started = time.monotonic()
    results = run(checks)

    assert 0.65 < time.monotonic() - started < 3
    assert results == {
        "hung": LATE,
        "slow": CheckResult(),
        "broken": CheckResult.failed("the queue is full"),
        "fine": CheckResult(),
    }


def test_the_event_loop_runs_on_while_a_check_hangs(hang):
    async def ticks_while_running() -> int:
        run = asyncio.ensure_future(HealthChecks({"hung": hang}, deadline=0.2).run())
        ticks = 0
        while not run.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(ticks_while_running()) >= 5


def test_a_check_that_is_overdue_is_not_waited_for_again_and_keeps_its_one_thread(hang):
    checks = HealthChecks({"hung": hang}, deadline=0.5)
    run(checks)

    started = time.monotonic()
    results = [run(checks)["hung"] for _ in range(10)]

    assert time.monotonic() - started < 4
    assert results == [CheckResult.failed("no response within 500 ms")] * 10
    assert threads_of("health-") == ["health-hung"]


def test_what_waits_for_a_hung_check_does_not_pile_up(hang):
    checks = HealthChecks({"hung": hang}, deadline=0.02)
    run(checks)
    gc.collect()
    before = len(gc.get_objects())

    for _ in range(100):
        run(checks)
    gc.collect()

    assert len(gc.get_objects()) - before < 100


def test_a_check_that_hung_and_returned_is_asked_again():
    release, clock, calls = threading.Event(), Clock(), []

    def hangs_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            release.wait(10)

    checks = HealthChecks({"once": hangs_once}, deadline=0.05, clock=clock)
    hung = run(checks)["once"]
    clock.now += 60

    release.set()
    for thread in threading.enumerate():
        if thread.name == "health-once":
            thread.join(5)
    well = run(checks)["once"]

    assert (hung.status, well.status, len(calls)) == ("error", "ok", 2)


def test_a_thousand_concurrent_probes_make_one_call():
    gate, check = threading.Event(), Counted()
    checks = HealthChecks({"database": lambda: (gate.wait(5), check())}, clock=Clock())

    async def probes() -> list[str]:
        asyncio.get_running_loop().call_later(0.05, gate.set)
        reports = await asyncio.gather(*(checks.run() for _ in range(1000)))
        return [report.status for report in reports]

    assert set(asyncio.run(probes())) == {"healthy"}
    assert check.calls == 1


def test_results_are_shared_for_two_seconds_bad_ones_too():
    clock, fine, broken = Clock(), Counted(), Counted(CheckFailed("no"))
    checks = HealthChecks({"fine": fine, "broken": broken}, clock=clock)

    counts = []
    for seconds in (0, 1.9, 0.2, 1.7, 0.3):
        clock.now += seconds
        assert run(checks)["broken"] == CheckResult.failed("no")
        counts.append((fine.calls, broken.calls))

    assert counts == [(1, 1), (1, 1), (2, 2), (2, 2), (3, 3)]


def test_only_the_checks_that_are_asked_for_are_called():
    asked, spared = Counted(), Counted()

    results = run(HealthChecks({"asked": asked, "spared": spared}), "asked")

    assert list(results) == ["asked"]
    assert (asked.calls, spared.calls) == (1, 0)


def test_an_unknown_check_is_a_key_error():
    with pytest.raises(KeyError, match="nothing"):
        run(HealthChecks({}), "nothing")


def test_no_checks_are_healthy():
    assert asyncio.run(HealthChecks({}).run()).status == "healthy"


def test_a_check_may_raise_anything():
    def leave() -> None:
        raise SystemExit(1)

    assert run(HealthChecks({"leaves": leave}))["leaves"] == CheckResult.failed("SystemExit")


def test_a_machine_without_threads_left_is_told_as_an_error(monkeypatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert run(HealthChecks({"database": lambda: None}))["database"] == CheckResult.failed("RuntimeError")


def test_a_probe_that_goes_away_takes_nobody_with_it():
    gate = threading.Event()
    checks = HealthChecks({"database": lambda: gate.wait(5)})

    async def probes() -> str:
        leaves, stays = (asyncio.ensure_future(checks.run()) for _ in range(2))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        gate.set()
        return (await stays).status

    assert asyncio.run(probes()) == "healthy"


def test_a_check_that_lands_after_its_event_loop_has_closed_disturbs_nobody(caplog):
    gate = threading.Event()
    checks = HealthChecks({"late": lambda: gate.wait(10)}, deadline=0.05)
    run(checks)

    gate.set()
    for thread in threading.enumerate():
        if thread.name == "health-late":
            thread.join(5)

    assert caplog.records == []
    assert run(checks)["late"] == CheckResult()


def test_no_thread_outlives_its_check():
    checks = HealthChecks({name: lambda: None for name in "abc"}, share_for=0)

    for _ in range(20):
        run(checks)
    for thread in threading.enumerate():
        if thread.name.startswith("health-"):
            thread.join(5)

    assert threads_of("health-") == []


def test_turns_are_logged_once_with_what_the_report_does_not_show(caplog):
    caplog.set_level(logging.INFO, "telemetry.health")
    check = Counted(ConnectionRefusedError(111, "by db.example"))
    checks = HealthChecks({"database": check}, share_for=0)

    run(checks)
    run(checks)
    check.error = CheckFailed("migrations are missing")
    run(checks)
    check.error = None
    run(checks)
    run(checks)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "Health check database fails: Connection refused. ConnectionRefusedError: [Errno 111] by db.example",
        ),
        ("WARNING", "Health check database fails: migrations are missing."),
        ("INFO", "Health check database passes again."),
    ]


def test_a_failure_while_the_process_starts_is_a_warning_only_if_it_lasts(caplog):
    caplog.set_level(logging.INFO, "telemetry.health")
    check, starting = Counted(CheckFailed("migrations are missing")), [True]
    checks = HealthChecks({"migrations": check}, share_for=0, is_starting=lambda: starting[0])

    run(checks)
    run(checks)
    starting[0] = False
    run(checks)
    run(checks)
    check.error = None
    run(checks)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "Health check migrations fails: migrations are missing."),
        ("WARNING", "Health check migrations fails: migrations are missing."),
        ("INFO", "Health check migrations passes again."),
    ]


def test_a_database_that_accepts_and_never_answers_is_told_within_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = create_engine(f"postgresql+psycopg://anna:very-secret@127.0.0.1:{silent.getsockname()[1]}/shop")

        def ping() -> None:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))

        started = time.monotonic()
        results = run(HealthChecks({"database": ping}))
        took = time.monotonic() - started

    for thread in threading.enumerate():  # the listener is closed, so the driver has given up
        if thread.name == "health-database":
            thread.join(10)
    engine.dispose()
    assert results == {"database": LATE}
    assert took < 3
