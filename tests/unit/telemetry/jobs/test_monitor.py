import asyncio
import contextvars
import functools
import inspect
import threading
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from telemetry.jobs import monitor, monitor_job
from telemetry.jobs.monitor import JobMonitoring

WAYS_OUT = [
    (None, "success", "success", None),
    (ValueError("no orders"), "failed", "error", "no orders"),
    (TimeoutError(), "failed", "timeout", "TimeoutError"),
    (asyncio.CancelledError(), "failed", "cancelled", "CancelledError"),
    (SystemExit(0), "failed", "cancelled", "0"),
    (SystemExit(1), "failed", "error", "1"),
    (KeyboardInterrupt(), "failed", "cancelled", "KeyboardInterrupt"),
    (GeneratorExit(), "failed", "cancelled", "GeneratorExit"),
    (ExceptionGroup("two", [ValueError(1), TypeError(2)]), "failed", "error", "ValueError: 1; TypeError: 2"),
]


def leave_by(error):
    if error is not None:
        raise error
    return "result"


def in_with(error):
    with monitor_job("sync"):
        return leave_by(error)


def in_decorated(error):
    return monitor_job("sync")(leave_by)(error)


async def in_async_with(error):
    async with monitor_job("sync"):
        await asyncio.sleep(0)
        return leave_by(error)


async def in_with_in_coroutine(error):
    with monitor_job("sync"):
        await asyncio.sleep(0)
        return leave_by(error)


async def in_decorated_coroutine(error):
    @monitor_job("sync")
    async def job():
        await asyncio.sleep(0)
        return leave_by(error)

    return await job()


def here(work, error):
    try:
        return work(error)
    except BaseException as caught:  # whatever it is, the test looks at it
        return caught


def in_a_thread(work, error):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(here(work, error)))
    thread.start()
    thread.join()
    return answers[0]


def on_a_loop(work, error):
    async def caught():
        try:
            return await work(error)
        except BaseException as caught:
            return caught

    return asyncio.run(caught())


USES = [
    (here, in_with),
    (here, in_decorated),
    (in_a_thread, in_with),
    (in_a_thread, in_decorated),
    (on_a_loop, in_async_with),
    (on_a_loop, in_with_in_coroutine),
    (on_a_loop, in_decorated_coroutine),
]


@pytest.mark.parametrize(("error", "status", "outcome", "message"), WAYS_OUT, ids=[repr(way[0]) for way in WAYS_OUT])
@pytest.mark.parametrize(("runner", "work"), USES, ids=[f"{use.__name__}-{work.__name__}" for use, work in USES])
def test_each_way_out_is_told_apart_and_taken_unchanged(recording, runner, work, error, status, outcome, message):
    answer = runner(work, error)

    assert answer is error or (error is None and answer == "result")
    assert [run.status for run in recording.runs] == ["running", status]
    run = recording.runs[1]
    assert (run.outcome, run.error_message) == (outcome, message)
    counted = {labels: point.value for labels, point in recording.points("job.runs").items()}
    assert counted == {(("job.name", "sync"), ("job.status", status)): 1}
    assert recording.points("job.active")[(("job.name", "sync"),)].value == 0
    assert recording.points("job.duration")[(("job.name", "sync"),)].count == 1
    assert bool(recording.points("job.last_success")) == (status == "success")
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_traceback_is_the_jobs_own(recording):
    error = ValueError("no orders")

    with pytest.raises(ValueError) as caught, monitor_job("sync"):
        raise error from KeyError("cause")

    assert caught.value is error
    assert isinstance(error.__cause__, KeyError)
    assert [entry.name for entry in caught.traceback] == ["test_the_traceback_is_the_jobs_own"]


def test_an_exception_that_has_no_text_is_still_the_one_that_arrives(recording):
    class Sulky(Exception):
        def __str__(self):
            raise RuntimeError("no text for you")

    error = Sulky()

    with pytest.raises(Sulky) as caught, monitor_job("sync"):
        raise error

    assert caught.value is error
    assert (recording.runs[1].outcome, recording.runs[1].error_message) == ("error", "<Sulky>")


def test_a_timeout_inside_the_job_and_one_around_it(recording):
    async def inside():
        async with monitor_job("inside"), asyncio.timeout(0.001):
            await asyncio.sleep(60)

    async def around():
        async with asyncio.timeout(0.001), monitor_job("around"):
            await asyncio.sleep(60)

    for work in (inside, around):
        with pytest.raises(TimeoutError):
            asyncio.run(work())

    assert {run.job_name: run.outcome for run in recording.ended()} == {"inside": "timeout", "around": "cancelled"}


def test_a_generator_that_is_closed_cancels_its_job(recording):
    def generator():
        with monitor_job("sync"):
            yield 1
            yield 2

    numbers = generator()
    next(numbers)

    numbers.close()

    assert [run.outcome for run in recording.ended()] == ["cancelled"]


def test_a_generator_that_is_closed_elsewhere_cancels_its_job_without_a_word(recording, caplog):
    def generator():
        with monitor_job("sync"):
            yield 1

    numbers = generator()
    contextvars.copy_context().run(next, numbers)
    closing = threading.Thread(target=numbers.close)
    closing.start()
    closing.join()

    assert [run.outcome for run in recording.ended()] == ["cancelled"]
    assert caplog.records == []


def test_a_coroutine_that_is_closed_cancels_its_job(recording):
    @monitor_job("sync")
    async def job():
        await asyncio.Future()

    async def begin():
        task = job()
        task.send(None)
        task.close()

    asyncio.run(begin())

    assert [run.outcome for run in recording.ended()] == ["cancelled"]


def test_metadata_is_what_the_block_leaves_there(recording):
    given = {"source": "WB", "pages": 1}

    with monitor_job("sync", metadata=given) as run:
        run.metadata["records_processed"] = 5
        del run.metadata["pages"]

    assert given == {"source": "WB", "pages": 1}
    assert [run.metadata for run in recording.runs] == [given, {"source": "WB", "records_processed": 5}]


def test_metadata_may_be_any_mapping_and_be_replaced_by_anything(recording):
    with monitor_job("sync", MappingProxyType({"source": "WB"})) as run:
        run.metadata = ["not", "a", "mapping"]

    assert [run.metadata for run in recording.runs] == [{"source": "WB"}, {"text": '["not", "a", "mapping"]'}]


def test_metadata_that_json_cant_hold_leaves_the_job_alone(recording):
    with monitor_job("sync") as run:
        run.metadata.update({"nan": float("nan"), 1: {2}, "self": run.metadata, "type": object})

    assert recording.runs[1].status == "success"
    assert recording.runs[1].metadata["nan"] == "nan"


@pytest.mark.parametrize("metadata", [5, "text", ["list"], {1, 2}, [("a", 1)]])
def test_metadata_that_is_no_mapping_is_refused_before_the_body_runs(recording, metadata):
    with pytest.raises(TypeError, match="mapping"):
        monitor_job("sync", metadata=metadata)

    assert recording.runs == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "nul\x00", "half \ud800", None, 5, b"sync"])
def test_a_name_that_is_none_is_refused_before_the_body_runs(recording, name):
    with pytest.raises(ValueError, match="1 to 100 printable characters"):
        monitor_job(name)

    assert recording.runs == []


@pytest.mark.parametrize("name", ["a", "x" * 100, "Заказы Ozon", "sync-orders/2 (nightly)"])
def test_a_name_of_1_to_100_characters_is_taken(recording, name):
    with monitor_job(name) as run:
        pass

    assert run.job_name == recording.runs[1].job_name == name


def test_the_tick_is_kept_in_utc(recording):
    tick = datetime(2025, 10, 2, 15, tzinfo=timezone(timedelta(hours=3)))

    with monitor_job("sync", scheduled_for=tick):
        pass

    assert {run.scheduled_for for run in recording.runs} == {datetime(2025, 10, 2, 12, tzinfo=UTC)}


@pytest.mark.parametrize("moment", [datetime(2025, 10, 2), "2025-10-02"])  # noqa: DTZ001  # that is the point
def test_a_tick_without_a_time_zone_is_refused(moment):
    with pytest.raises(ValueError, match="time zone"):
        monitor_job("sync", scheduled_for=moment)


def test_the_job_is_the_current_span_and_the_parent_of_what_it_does(stage):
    tracer = stage.activate()

    with monitor_job("sync") as run:
        inside = trace.get_current_span()
        child = tracer.start_span("child")

    assert inside.name == "job sync"
    assert child.parent.span_id == inside.get_span_context().span_id
    assert run.run_id == stage.runs[0].run_id


def test_a_context_that_the_body_leaves_behind_ends_with_it(recording):
    with monitor_job("sync"):
        context.attach(context.set_value("left", "behind"))

    assert context.get_value("left") is None


def test_jobs_inside_jobs_are_runs_of_their_own(recording):
    job = monitor_job("sync")

    with job as outer, job as middle, monitor_job("other") as inner:
        assert len({outer.run_id, middle.run_id, inner.run_id}) == 3

    assert [(run.run_id, run.status) for run in recording.ended()] == [
        (inner.run_id, "success"),
        (middle.run_id, "success"),
        (outer.run_id, "success"),
    ]


def test_a_decorated_function_may_call_itself(recording):
    @monitor_job("factorial", metadata={"source": "WB"})
    def factorial(n):
        """Says what it does."""
        return n * factorial(n - 1) if n else 1

    assert factorial(4) == 24
    assert len({run.run_id for run in recording.ended()}) == 5
    assert factorial.__doc__ == "Says what it does."


def test_one_monitor_serves_many_threads_and_coroutines_at_once(recording):
    job = monitor_job("sync")
    barrier = threading.Barrier(8)

    def in_thread(n):
        with job as run:
            run.metadata["n"] = n
            barrier.wait(10)

    async def in_task(n):
        async with job as run:
            run.metadata["n"] = n
            await asyncio.sleep(0.001 * (8 - n))

    async def all_tasks():
        await asyncio.gather(*(in_task(n) for n in range(8)))

    threads = [threading.Thread(target=in_thread, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(all_tasks())

    started = {run.run_id for run in recording.runs if run.status == "running"}
    assert started == {run.run_id for run in recording.ended()}
    assert sorted(run.metadata["n"] for run in recording.ended()) == sorted([*range(8), *range(8)])


def test_each_call_of_a_decorated_coroutine_is_a_run(recording):
    @monitor_job("sync")
    async def job(n):
        await asyncio.sleep(0)
        return n

    async def calls():
        return await asyncio.gather(*(job(n) for n in range(5)))

    assert inspect.iscoroutinefunction(job)
    assert asyncio.run(calls()) == [0, 1, 2, 3, 4]
    assert len({run.run_id for run in recording.ended()}) == 5


def test_what_only_behaves_like_a_coroutine_function_is_awaited_inside_its_run(recording):
    class Job:
        async def __call__(self, n):
            await asyncio.sleep(0.01)
            return n

        async def method(self, n):
            await asyncio.sleep(0.01)
            return n

    for job in (functools.partial(Job().method, 3), functools.partial(Job().__call__, 3)):
        assert asyncio.run(monitor_job("sync")(job)()) == 3
    wrapped = monitor_job("sync")(Job())

    assert asyncio.run(wrapped(3)) == 3
    assert all(run.duration_seconds >= 0.009 for run in recording.ended())


def generator_function():
    yield


async def async_generator_function():
    yield


@pytest.mark.parametrize(
    "thing", [generator_function, async_generator_function, int, None, "text", staticmethod(len), classmethod(len)]
)
def test_what_cant_be_decorated_is_refused_when_it_is_decorated(recording, thing):
    with pytest.raises(TypeError, match="monitor_job"):
        monitor_job("sync")(thing)


def test_without_telemetry_the_job_runs_and_one_warning_says_so(monkeypatch, caplog):
    monkeypatch.setattr(monitor._ProcessState, "has_warned", False)
    monitor.deactivate()

    for _ in range(3):
        with monitor_job("sync", {"source": "WB"}) as run:
            run.metadata["n"] = 1
    with pytest.raises(ValueError, match="no orders"), monitor_job("sync"):
        raise ValueError("no orders")

    assert (run.job_name, run.run_id, run.metadata) == ("sync", "", {"source": "WB", "n": 1})
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_run_ends_where_it_began_when_the_telemetry_stops_meanwhile(recording):
    with monitor_job("sync"):
        monitor.deactivate()

    assert [run.status for run in recording.ended()] == ["success"]
    assert recording.points("job.active")[(("job.name", "sync"),)].value == 0


def test_a_span_that_nobody_records_is_no_run_and_is_not_counted(stage):
    tracer = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("tests")
    monitor.activate(JobMonitoring(tracer))

    with monitor_job("sync") as run:
        pass

    assert run.run_id == ""
    assert not any(name.startswith("scheduler") or "job" in name for name in stage.names())


class Broken:
    """Every attribute access raises."""

    def __getattr__(self, name):
        raise RuntimeError(f"{name} is broken")


class BrokenSpan:
    """Every call raises, except for the identity of the span."""

    def get_span_context(self):
        return trace.SpanContext(1, 2, is_remote=False)

    def is_recording(self):
        return True

    def __getattr__(self, name):
        raise RuntimeError(f"{name} is broken")


class TracerOf:
    def __init__(self, span):
        self._span = span

    def start_span(self, *args, **kwargs):
        return self._span


class BrokenRecorder:
    is_healthy = True

    def wait_recorded(self, timeout):
        raise RuntimeError("wait_recorded is broken")

    async def wait_recorded_async(self, timeout):  # noqa: ASYNC109  # as the recorder has it
        raise RuntimeError("wait_recorded_async is broken")

    def wait(self, run_id, timeout):
        raise RuntimeError("wait is broken")

    async def wait_async(self, run_id, timeout):  # noqa: ASYNC109  # as the recorder has it
        raise RuntimeError("wait_async is broken")


BROKEN = [
    (Broken(), Broken()),
    (TracerOf(BrokenSpan()), Broken()),
    (TracerOf(BrokenSpan()), BrokenRecorder()),
    (TracerOf(None), None),
    (None, BrokenRecorder()),
]


@pytest.mark.parametrize("error", [None, ValueError("no orders"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize(("runner", "work"), USES, ids=[f"{use.__name__}-{work.__name__}" for use, work in USES])
@pytest.mark.parametrize("parts", BROKEN, ids=range(len(BROKEN)))
def test_telemetry_that_is_broken_leaves_the_job_alone(stage, parts, runner, work, error):
    monitor.activate(JobMonitoring(*parts))

    answer = runner(work, error)

    assert answer is error or (error is None and answer == "result")


def test_one_broken_part_does_not_cost_the_others(stage):
    stage.instruments = Broken()
    monitor.activate(JobMonitoring(stage.tracer(), BrokenRecorder()))

    with monitor_job("sync"):
        pass

    assert [run.status for run in stage.runs] == ["running", "success"]


def test_the_duration_is_the_monotonic_clocks(recording, monkeypatch):
    monkeypatch.setattr("time.time_ns", iter([10**18, 0, 0, 0]).__next__)

    with monitor_job("sync"):
        pass

    assert 0 < recording.ended()[0].duration_seconds < 10
