"""A run ends when the awaitable ends that its function returned, whatever kind of awaitable that is."""

import asyncio
import concurrent.futures
import functools
import gc
import inspect
import types
import warnings

import pytest
from opentelemetry import trace

from telemetry.jobs import monitor_job


async def work(error=None):
    await asyncio.sleep(0.01)
    if error is not None:
        raise error
    return 7


def undone(function):
    """A decorator of somebody else, after which the function is no coroutine function any more."""

    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    del wrapper.__wrapped__
    return wrapper


class Lazy:
    """An awaitable of a type of its own, with attributes, that starts when it is awaited."""

    name = "lazy"

    def __init__(self, error):
        self.error = error

    def __await__(self):
        return work(self.error).__await__()


class Request(Lazy):
    """Like those of HTTP clients and query builders: also a context manager, and iterable."""

    async def __aenter__(self):
        return await self

    async def __aexit__(self, kind, error, trace):
        await asyncio.sleep(0.01)
        return isinstance(error, KeyError)

    async def __aiter__(self):
        yield await self


class Slotted:
    __slots__ = ()

    def __await__(self):
        return work().__await__()


@types.coroutine
def generator_coroutine(error=None):
    yield from work(error).__await__()
    return 7


def in_executor(error):
    return asyncio.get_running_loop().run_in_executor(None, asyncio.run, work(error))


def failing_future(error):
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(
        0.01, *((future.set_exception, error) if error is not None else (future.set_result, 7))
    )
    return future


async def returns_task(error):
    return asyncio.ensure_future(work(error))


async def returns_coroutine(error):
    return work(error)


KINDS = {
    "decorated": undone(work),
    "partial of a decorated one": functools.partial(undone(work)),
    "lambda": lambda *args: work(*args),  # noqa: PLW0108  # a coroutine function otherwise
    "task": lambda error: asyncio.get_running_loop().create_task(work(error)),
    "wait_for": lambda error: asyncio.wait_for(asyncio.ensure_future(work(error)), 60),
    "future": failing_future,
    "gather": lambda error: asyncio.gather(work(), work(error)),
    "shield": lambda error: asyncio.shield(work(error)),
    "executor": in_executor,
    "object": functools.partial(Lazy),
    "coroutine of a generator": generator_coroutine,
    "request": functools.partial(Request),
    "another decorated one": monitor_job("inner")(undone(work)),
    "a coroutine that returns a coroutine": undone(returns_coroutine),
    "a coroutine function that returns a task": returns_task,
}


async def await_all(result):
    while hasattr(type(result), "__await__"):
        result = await result
    return result


async def called(job, *args):
    return await await_all(job(*args))


def only_run(recording):
    (run,) = [run for run in recording.ended() if run.job_name == "sync"]
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_ends_with_the_awaitable(recording, kind):
    job = monitor_job("sync")(KINDS[kind])

    result = asyncio.run(called(job, None))

    assert result == ([7, 7] if kind == "gather" else 7)
    run = only_run(recording)
    assert run.outcome == "success"
    assert run.duration_seconds >= 0.009


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_fails_with_the_awaitable(recording, kind):
    job = monitor_job("sync")(KINDS[kind])

    with pytest.raises(ValueError, match="no orders"):
        asyncio.run(called(job, ValueError("no orders")))

    run = only_run(recording)
    assert (run.outcome, run.error_message) == ("error", "no orders")


@pytest.mark.parametrize("kind", ["lambda", "task", "future", "object", "gather"])
def test_a_cancelled_awaitable_is_a_cancelled_run(recording, kind):
    async def cancelled():
        task = asyncio.ensure_future(monitor_job("sync")(KINDS[kind])(None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())

    assert only_run(recording).outcome == "cancelled"


@pytest.mark.parametrize("kind", ["lambda", "object"])
def test_a_result_that_nobody_awaits_ends_its_run_as_cancelled(recording, kind):
    result = monitor_job("sync")(KINDS[kind])(None)
    assert recording.ended() == []

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Python says that the coroutine was never awaited
        del result
        gc.collect()

    assert only_run(recording).outcome == "cancelled"


def test_the_span_of_the_run_is_current_inside_the_awaitable_and_not_after_the_call(recording):
    seen = {}

    async def inside():
        seen["inside"] = trace.get_current_span().get_span_context().span_id

    @monitor_job("sync")
    def job():
        seen["call"] = trace.get_current_span().get_span_context().span_id
        return inside()

    async def call():
        coroutine = job()
        seen["after the call"] = trace.get_current_span().get_span_context().span_id
        await coroutine
        seen["at the end"] = trace.get_current_span().get_span_context().span_id

    asyncio.run(call())

    span_id = int(only_run(recording).span_id, 16)
    assert seen == {"call": span_id, "inside": span_id, "after the call": 0, "at the end": 0}


def test_a_future_is_returned_as_it_is_and_a_coroutine_keeps_its_name(recording):
    async def call():
        task = asyncio.ensure_future(work())
        assert monitor_job("sync")(lambda: task)() is task
        await task
        coroutine = monitor_job("sync")(undone(work))()
        assert inspect.iscoroutine(coroutine)
        assert coroutine.__qualname__ == "work"
        await asyncio.create_task(coroutine)

    asyncio.run(call())

    assert [run.outcome for run in recording.ended()] == ["success", "success"]


def test_an_awaitable_object_keeps_its_attributes_and_can_be_awaited_again(recording):
    async def call():
        lazy = monitor_job("sync")(lambda: Lazy(None))()
        assert lazy.name == "lazy"
        return await lazy, await lazy

    assert asyncio.run(call()) == (7, 7)
    assert only_run(recording).outcome == "success"


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "success"), (ValueError("no"), "error"), (KeyError("ok"), "success")]
)
def test_a_result_that_is_entered_ends_its_run_when_it_is_left(recording, error, outcome):
    async def call():
        async with monitor_job("sync")(lambda: Request(None))() as value:
            assert value == 7
            assert recording.ended() == []
            if error is not None:
                raise error

    if isinstance(error, ValueError):
        with pytest.raises(ValueError, match="no"):
            asyncio.run(call())
    else:
        asyncio.run(call())

    assert only_run(recording).outcome == outcome


def test_a_result_that_is_iterated_ends_its_run_with_its_last_item(recording):
    async def call():
        return [item async for item in monitor_job("sync")(lambda: Request(None))()]

    assert asyncio.run(call()) == [7]
    assert only_run(recording).outcome == "success"


def test_the_failure_of_an_entered_result_is_that_of_its_run(recording):
    async def call():
        async with monitor_job("sync")(lambda: Request(ValueError("no")))():
            pass

    with pytest.raises(ValueError, match="no"):
        asyncio.run(call())

    assert only_run(recording).outcome == "error"


def test_an_awaitable_without_weak_references_ends_its_run(recording):
    async def call():
        return await monitor_job("sync")(Slotted.__new__)(Slotted)

    assert asyncio.run(call()) == 7
    assert only_run(recording).outcome == "success"


def test_a_future_of_a_pool_ends_its_run(recording):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = monitor_job("sync")(lambda error: pool.submit(asyncio.run, work(error)))
        assert job(None).result(60) == 7
        with pytest.raises(ValueError, match="no orders"):
            job(ValueError("no orders")).result(60)

    assert [run.outcome for run in recording.ended()] == ["success", "error"]


def test_asyncio_still_reports_an_error_that_nobody_retrieved(recording):
    reported = []

    async def call():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, what: reported.append(what["message"]))
        monitor_job("sync")(KINDS["task"])(ValueError("no orders"))
        await asyncio.sleep(0.03)
        gc.collect()

    asyncio.run(call())

    assert reported == ["Task exception was never retrieved"]
    assert only_run(recording).outcome == "error"


class Proxy:
    """Like the proxies of web frameworks: every question but for its type is one too many."""

    @property
    def __class__(self):
        raise RuntimeError("asked outside a request")


def test_a_result_is_asked_nothing_but_its_type(recording):
    proxy = Proxy()

    assert monitor_job("sync")(lambda: proxy)() is proxy
    assert only_run(recording).outcome == "success"


def test_a_future_that_fails_to_be_watched_reaches_the_caller(recording):
    class Broken(concurrent.futures.Future):
        def add_done_callback(self, fn):
            raise RuntimeError("broken")

    broken = Broken()

    assert monitor_job("sync")(lambda: broken)() is broken
    assert only_run(recording).outcome == "success"


class Exchange(Request):
    """A coroutine that can also be entered, such as a request of aiohttp."""

    def __init__(self, error):
        super().__init__(error)
        self.coroutine = work(error)
        self.send, self.throw, self.close = self.coroutine.send, self.coroutine.throw, self.coroutine.close

    def __await__(self):
        return self.coroutine.__await__()


@pytest.mark.parametrize("ends_by", ["itself", "an exception", "being closed", "being closed before it began"])
def test_a_coroutine_of_another_type_can_be_driven_by_hand(recording, ends_by):
    exchange = monitor_job("sync")(lambda: Exchange(None))()

    async def call(exchange):
        if ends_by == "itself":
            assert await asyncio.create_task(exchange) == 7
        elif ends_by == "an exception":
            exchange.send(None)
            with pytest.raises(ValueError, match="no"):
                exchange.throw(ValueError("no"))
        else:
            if ends_by == "being closed":
                exchange.send(None)
            exchange.close()

    asyncio.run(call(exchange))

    del exchange
    gc.collect()
    assert only_run(recording).outcome == {"itself": "success", "an exception": "error"}.get(ends_by, "cancelled")
