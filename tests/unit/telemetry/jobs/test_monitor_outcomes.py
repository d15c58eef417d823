"""Every way to end a job, at random: kind of use, depth, thread or task, sampling, and what it raises."""

import asyncio
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, TraceIdRatioBased

from telemetry.jobs import monitor
from telemetry.jobs.monitor import JobMonitoring, monitor_job
from telemetry.jobs.run_profile import RunProfiler
from telemetry.sdk.sampler import JobSampler
from tests.support.job_spans import processor_into
from tests.unit.telemetry.jobs.conftest import Stage


class Sulky(Exception):
    def __str__(self):
        raise RuntimeError("no text for you")


class Own(BaseException):
    pass


OUTCOMES = [
    (lambda: None, "success"),
    (lambda: ValueError("no orders"), "error"),
    (Sulky, "error"),
    (Own, "error"),
    (lambda: ExceptionGroup("several", [ValueError(1), TimeoutError()]), "error"),
    (lambda: BaseExceptionGroup("several", [KeyboardInterrupt()]), "cancelled"),
    (lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), TimeoutError()]), "timeout"),
    (lambda: SystemExit(1), "error"),
    (lambda: SystemExit("why"), "error"),
    (lambda: SystemExit(0), "cancelled"),
    (SystemExit, "cancelled"),
    (KeyboardInterrupt, "cancelled"),
    (GeneratorExit, "cancelled"),
    (asyncio.CancelledError, "cancelled"),
    (lambda: TimeoutError("too slow"), "timeout"),
]
SYNC, ASYNC = ["with", "decorated"], ["async with", "async decorated", "with in a coroutine"]
SAMPLERS = [ALWAYS_OFF, ALWAYS_ON, TraceIdRatioBased(0.0), ParentBased(TraceIdRatioBased(0.0))]


def leave_by(error):
    if error is not None:
        raise error
    return RESULT


RESULT = object()


def sync_nest(uses, error):
    if not uses:
        return leave_by(error)
    name, use, rest = f"job {len(uses)}", uses[0], uses[1:]
    if use == "decorated":
        return monitor_job(name)(sync_nest)(rest, error)
    with monitor_job(name):
        return sync_nest(rest, error)


async def async_nest(uses, error):
    await asyncio.sleep(0)
    if not uses:
        return leave_by(error)
    name, use, rest = f"job {len(uses)}", uses[0], uses[1:]
    if use in SYNC:
        return sync_nest([use] * len(uses), error)
    if use == "async decorated":
        return await monitor_job(name)(async_nest)(rest, error)
    if use == "with in a coroutine":
        with monitor_job(name):
            return await async_nest(rest, error)
    async with monitor_job(name):
        return await async_nest(rest, error)


def caught(work):
    try:
        return work()
    except BaseException as error:  # whatever it is, the test looks at it
        return error


def in_a_thread(work):
    answers = []
    thread = threading.Thread(target=lambda: answers.append((caught(work), trace.get_current_span())))
    thread.start()
    thread.join(30)
    return answers[0]


def here(work):
    return caught(work), trace.get_current_span()


def on_a_loop(uses, error):
    async def answer():
        try:
            found = await async_nest(uses, error)
        except BaseException as raised:
            found = raised
        return found, trace.get_current_span()

    return asyncio.run(answer())


@settings(max_examples=100, deadline=None)
@given(
    way=st.sampled_from(OUTCOMES),
    place=st.sampled_from(["here", "thread", "loop"]),
    sync_uses=st.lists(st.sampled_from(SYNC), min_size=1, max_size=3),
    async_uses=st.lists(st.sampled_from(ASYNC + SYNC), min_size=1, max_size=3),
    sampler=st.sampled_from(SAMPLERS),
)
def test_every_run_is_begun_and_ended_once_with_its_outcome_and_what_it_does_is_unchanged(
    way, place, sync_uses, async_uses, sampler
):
    make, outcome = way
    error, stage, profiler = make(), Stage(), RunProfiler()
    provider = TracerProvider(JobSampler(sampler, profiler.has), shutdown_on_exit=False)
    provider.add_span_processor(
        processor_into(stage.runs.append, instruments=stage.instruments, profiler=profiler, worker="host:1")
    )
    monitor.activate(JobMonitoring(provider.get_tracer("tests")))
    uses = async_uses if place == "loop" else sync_uses

    if place == "loop":
        answer, span_afterwards = on_a_loop(uses, error)
    else:
        answer, span_afterwards = (here if place == "here" else in_a_thread)(lambda: sync_nest(uses, error))
    monitor.deactivate()

    assert answer is (RESULT if error is None else error)
    assert span_afterwards is trace.INVALID_SPAN
    names = [f"job {depth}" for depth in range(len(uses), 0, -1)]
    assert [run.job_name for run in stage.runs if run.status == "running"] == names
    assert [(run.job_name, run.outcome) for run in stage.ended()] == [(name, outcome) for name in reversed(names)]
    assert len({run.run_id for run in stage.runs}) == len(names)
    status = "success" if outcome == "success" else "failed"
    assert {labels: point.value for labels, point in stage.points("job.runs").items()} == {
        (("job.name", name), ("job.status", status)): 1 for name in names
    }
    assert {point.value for point in stage.points("job.active").values()} == {0}
    assert profiler._open == {}


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("how", ["timeout", "wait_for", "cancel", "group"])
def test_a_job_that_its_loop_ends_is_told_by_how_it_was_ended(recording, how, outer):
    async def job():
        async with monitor_job("sync"):
            await asyncio.sleep(30)

    async def main():
        if how == "timeout" and not outer:
            async with monitor_job("sync"), asyncio.timeout(0.001):
                await asyncio.sleep(30)
        elif how == "timeout":
            async with asyncio.timeout(0.001):
                await job()
        elif how == "wait_for":
            await asyncio.wait_for(job(), 0.001)
        elif how == "cancel":
            task = asyncio.create_task(job())
            await asyncio.sleep(0)
            task.cancel()
            await task
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(job())
                await asyncio.sleep(0)
                raise ValueError("a neighbour failed")

    with suppress(TimeoutError, asyncio.CancelledError, ExceptionGroup):
        asyncio.run(main())

    # Whoever waits outside says "timeout"; inside the job it is a cancellation like another.
    [run] = recording.ended()
    assert run.outcome == ("timeout" if how == "timeout" and not outer else "cancelled")


@pytest.mark.parametrize("way", ["close", "collected", "thrown"])
def test_a_generator_that_is_not_read_to_its_end_ends_its_run(recording, way):
    def job():
        with monitor_job("sync"):
            yield 1
            yield 2

    running = job()
    assert next(running) == 1
    if way == "close":
        running.close()
    elif way == "thrown":
        with pytest.raises(KeyError):
            running.throw(KeyError("no"))
    del running

    [run] = recording.ended()
    assert run.outcome == ("error" if way == "thrown" else "cancelled")
