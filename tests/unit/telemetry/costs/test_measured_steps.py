"""A measured coroutine is what it was for its caller: values, errors and cancellation pass through, and its thread is left."""

import asyncio
import gc
import types
import weakref
from contextlib import suppress

import pytest

from telemetry.costs.account import CpuAccount, CpuSlice, current_account
from telemetry.costs.measured_steps import StepAccount, measured_steps
from telemetry.stacks.await_chain import await_chain
from tests.unit.telemetry.costs.test_run_costs import burn


@types.coroutine
def pause(value=None):
    return (yield value)


async def awaiting(coroutine):
    return await coroutine


def measured(coroutine):
    account = StepAccount()
    return account, awaiting(measured_steps(account, coroutine))


def ended(coroutine, value=None):
    """What a coroutine returns, which ends with this step."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(value)
    return end.value.value


def test_a_result_is_passed_on_with_and_without_waiting():
    async def at_once():
        return 1

    async def later():
        return await pause("first"), await pause("second")

    _, coroutine = measured(at_once())
    assert ended(coroutine) == 1

    _, coroutine = measured(later())
    assert coroutine.send(None) == "first"
    assert coroutine.send("a") == "second"
    assert ended(coroutine, "b") == ("a", "b")


def test_only_its_own_steps_are_charged_to_the_account():
    async def job():
        burn(0.02)
        await pause()
        burn(0.03)

    account, coroutine = measured(job())
    coroutine.send(None)
    burn(0.05)
    ended(coroutine)

    assert account.seconds == pytest.approx(0.05, rel=0.1)


def test_between_its_steps_the_thread_is_charged_to_whoever_it_was_before():
    seen = []
    outer, other = CpuAccount(), CpuAccount()

    async def job():
        seen.append(current_account())
        await pause()
        seen.append(current_account())

    account, coroutine = measured(job())
    with CpuSlice(outer):
        coroutine.send(None)
        seen.append(current_account())
    with CpuSlice(other):
        ended(coroutine)
        seen.append(current_account())

    assert seen == [account, outer, account, other]
    assert current_account() is None


def test_an_error_leaves_the_thread_and_reaches_the_caller():
    async def fail():
        await pause()
        raise ZeroDivisionError

    _, coroutine = measured(fail())
    coroutine.send(None)
    with pytest.raises(ZeroDivisionError):
        coroutine.send(None)

    assert current_account() is None


def test_a_cancelled_coroutine_may_clean_up_and_goes_on_being_charged():
    seen = []

    async def job():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            burn(0.02)
            seen.append(current_account())
            await asyncio.sleep(0)
            raise

    async def main():
        account, coroutine = measured(job())
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return account

    account = asyncio.run(main())

    assert seen == [account]
    assert account.seconds == pytest.approx(0.02, rel=0.2)
    assert current_account() is None


def test_a_coroutine_that_handles_what_is_thrown_has_no_context_of_it():
    async def job():
        with suppress(TimeoutError):
            await pause()
        raise ZeroDivisionError

    _, coroutine = measured(job())
    coroutine.send(None)
    with pytest.raises(ZeroDivisionError) as raised:
        coroutine.throw(TimeoutError())

    assert raised.value.__context__ is None


def test_what_is_thrown_is_not_kept_alive_by_a_cycle():
    class Failure(Exception):
        pass

    async def job():
        await pause()

    _, coroutine = measured(job())
    coroutine.send(None)
    gc.collect()
    gc.disable()
    try:
        error = Failure()
        kept = weakref.ref(error)
        with suppress(Failure):
            coroutine.throw(error)
        del error, coroutine
        assert kept() is None
    finally:
        gc.enable()


def test_a_coroutine_that_is_closed_runs_its_end():
    seen = []

    async def job():
        try:
            await pause()
        finally:
            seen.append(current_account())

    account, coroutine = measured(job())
    coroutine.send(None)
    coroutine.close()

    assert seen == [account]
    assert current_account() is None


def test_the_stack_of_a_measured_coroutine_reaches_what_it_awaits():
    async def innermost():
        await asyncio.sleep(30)

    async def job():
        await innermost()

    async def main():
        _, coroutine = measured(job())
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        names = [frame.code.co_name for frame in await_chain(task).frames]
        task.cancel()
        await asyncio.wait([task])
        return names

    names = asyncio.run(main())

    assert names[-3:] == ["job", "innermost", "sleep"]
