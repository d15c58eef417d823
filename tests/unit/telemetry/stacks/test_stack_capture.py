"""Which line the stack of hanging work names, whatever it hangs in."""

import asyncio
import functools
import inspect
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import anyio.to_thread
import pytest

from telemetry.redaction.policy import POLICY
from telemetry.stacks.stack_capture import MAX_STACK_LENGTH, OWN_FRAMES, HangingWork, capture, own_frames
from tests.support.processes import eventually

SOON = 30.0
UNTIL_ENDED = 0.01


class Stage:
    """Work that hangs in a thread until the stage ends."""

    def __init__(self):
        self.work = None
        self.thread = None
        self.released = threading.Event()
        self.here, self.there = socket.socketpair()
        self._hangs = threading.Event()

    def start(self, function):
        self.thread = threading.Thread(target=self._run, args=(function,), name="hanging", daemon=True)
        self.thread.start()
        return self

    def _run(self, function):
        self.work = HangingWork.of_caller()
        with pytest.MonkeyPatch.context():
            function(self)

    def hangs(self):
        """Called by the work right before it hangs."""
        self._hangs.set()

    def stack(self, *, at):
        """The stack as soon as its innermost frame of our own is a line of this function, which is marked as hanging."""
        assert self._hangs.wait(SOON)
        deadline, expected = time.monotonic() + SOON, place_of(at)
        while (found := capture(self.work)).own[:1] != (expected,) and time.monotonic() < deadline:
            time.sleep(UNTIL_ENDED)
        return found

    def end(self):
        self.released.set()
        self.there.send(b"x" * 10)
        if self.thread is not None:
            self.thread.join(SOON)
        self.here.close()
        self.there.close()


def place_of(function):
    lines, first = inspect.getsourcelines(function)
    [line] = [first + number for number, text in enumerate(lines) if "# hangs" in text]
    return f"telemetry/stacks/test_stack_capture.py:{line} in {function.__qualname__}"


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.end()


def receive(stage):
    stage.hangs()
    stage.here.recv(1)  # hangs


def wait_for_lock(stage):
    lock = threading.Lock()
    with lock:
        threading.Thread(target=lambda: (stage.released.wait(SOON), lock.release()), daemon=True).start()
        stage.hangs()
        lock.acquire()  # hangs


def sleep_in_generator(stage):
    for _ in numbers(stage):
        pass


def numbers(stage):
    stage.hangs()
    yield stage.released.wait(SOON)  # hangs


@pytest.mark.parametrize(
    ("function", "place"), [(receive, receive), (wait_for_lock, wait_for_lock), (sleep_in_generator, numbers)]
)
def test_a_thread_hangs_at_a_line_of_our_own_code(stage, function, place):
    found = stage.start(function).stack(at=place)

    assert found.own[0] == place_of(place)
    assert len(found.own) <= OWN_FRAMES
    assert "Thread hanging:" in found.text
    assert own_frames(found.text) == found.own


async def until_released(stage):
    stage.hangs()
    while not stage.released.is_set():  # noqa: ASYNC110  # the event is a thread's
        await asyncio.sleep(0.2)  # hangs


async def awaits(stage):
    await until_released(stage)


async def iterates(stage):
    async for _ in yields(stage):
        pass


async def yields(stage):
    await until_released(stage)
    yield 1


async def gathers(stage):
    await asyncio.gather(asyncio.sleep(0), awaits(stage))


async def waits_for(stage):
    await asyncio.wait_for(awaits(stage), SOON)


async def waits(stage):
    await asyncio.wait([asyncio.create_task(awaits(stage))])


async def groups(stage):
    async with asyncio.TaskGroup() as group:
        group.create_task(awaits(stage))


class Awaitable:
    def __init__(self, stage):
        self.stage = stage

    def __await__(self):
        return awaits(self.stage).__await__()


async def groups_by_anyio(stage):
    async with anyio.create_task_group() as group:
        group.start_soon(awaits, stage)


async def receives_from_group(stage):
    send, receive = anyio.create_memory_object_stream()
    async with send, receive, anyio.create_task_group() as group:
        group.start_soon(awaits, stage)
        group.start_soon(close_at_end, stage, send)
        async for _ in receive:
            pass


async def close_at_end(stage, send):
    while not stage.released.is_set():  # noqa: ASYNC110  # likewise
        await asyncio.sleep(0.2)
    await send.aclose()


async def awaits_object(stage):
    await Awaitable(stage)


async def awaits_task(stage):
    task = asyncio.create_task(awaits(stage))
    await task


ASYNCHRONOUS = [awaits, iterates, gathers, waits_for, waits, groups, groups_by_anyio, awaits_object, awaits_task]


@pytest.mark.parametrize("function", ASYNCHRONOUS)
def test_a_thread_with_an_event_loop_hangs_where_its_main_task_waits(stage, function):
    found = stage.start(lambda stage: asyncio.run(function(stage))).stack(at=until_released)

    assert found.own[0] == place_of(until_released)


@pytest.mark.parametrize("function", ASYNCHRONOUS)
def test_a_task_hangs_where_it_waits(stage, function):
    async def main(stage):
        stage.work = HangingWork.of_caller()
        await function(stage)

    found = stage.start(lambda stage: asyncio.run(main(stage))).stack(at=until_released)

    assert found.own[0] == place_of(until_released)
    assert found.text.count("until_released") == 1 + 1  # in the beginning, and in its task


def test_a_task_that_receives_from_a_group_that_it_holds_hangs_where_its_first_task_does(stage):
    async def main(stage):
        stage.work = HangingWork.of_caller()
        await receives_from_group(stage)

    found = stage.start(lambda stage: asyncio.run(main(stage))).stack(at=until_released)

    assert found.own[0] == place_of(until_released)


def block(stage):
    stage.hangs()
    stage.released.wait(SOON)  # hangs


async def to_thread(stage):
    await asyncio.to_thread(block, stage)


async def to_thread_of_anyio(stage):
    await anyio.to_thread.run_sync(functools.partial(block, stage))


async def in_executor(stage):
    with ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, block, stage)


async def blocks_loop(stage):
    block(stage)


@pytest.mark.parametrize("function", [to_thread, to_thread_of_anyio, in_executor, blocks_loop])
def test_a_task_that_waits_for_another_thread_hangs_where_that_one_does(stage, function):
    async def main(stage):
        stage.work = HangingWork.of_caller()
        await function(stage)

    found = stage.start(lambda stage: asyncio.run(main(stage))).stack(at=block)

    assert found.own[:2] == (place_of(block), found.own[1])
    assert function.__name__ in found.own[1]


def test_of_a_loop_that_is_blocked_by_another_task_both_are_shown(stage):
    async def main(stage):
        stage.work = HangingWork.of_caller()
        asyncio.get_running_loop().call_later(0.01, block, stage)
        await asyncio.sleep(0.02)  # hangs

    stage.start(lambda stage: asyncio.run(main(stage)))
    assert stage._hangs.wait(SOON)

    found = capture(stage.work)

    assert found.own[0] == place_of(main)
    assert "of the event loop, which is busy:" in found.text
    assert place_of(block) in found.text


@contextmanager
def running(function, *arguments):
    stage = Stage().start(lambda stage: function(stage, *arguments))
    assert stage._hangs.wait(SOON)
    yield stage
    stage.end()


def recurse(stage, depth):
    if depth:
        recurse(stage, depth - 1)
    else:
        block(stage)


def test_a_deep_recursion_is_shown_from_both_ends():
    with running(recurse, 850) as stage:
        found = capture(stage.work)

    assert found.own[0] == place_of(block)
    assert "frames left out" in found.text
    assert "in Thread._bootstrap" in found.text
    assert len(found.text) < MAX_STACK_LENGTH


async def many(stage):
    stage.work = HangingWork.of_caller()
    others = [asyncio.create_task(asyncio.sleep(SOON)) for _ in range(10_000)]
    await asyncio.sleep(0)
    stage.hangs()
    while not stage.released.is_set():  # noqa: ASYNC110  # likewise
        await asyncio.sleep(0.05)
    for each in others:
        each.cancel()


def test_of_ten_thousand_tasks_some_are_shown_and_all_are_counted():
    with running(lambda stage: asyncio.run(many(stage))) as stage:
        found = capture(stage.work)

    assert "more tasks of this event loop" in found.text
    assert len(found.text) <= MAX_STACK_LENGTH


def test_a_thread_that_has_ended_is_said_to_have():
    stage = Stage().start(lambda stage: stage.hangs())
    stage.thread.join(SOON)

    found = capture(stage.work)
    stage.end()

    assert found.own == ()
    assert found.text == "Thread hanging:\n  (it has ended, or executes no Python code)"


@pytest.mark.parametrize(
    "file", ["/gone/stock/sync.py", "relative.py", "", "a\x00b.py", "\ud800.py", "<string>", "📦/🐍.py\nx"]
)
def test_a_function_of_any_file_and_name_is_one_line(file):
    code = compile("def wait(stage):\n    stage.hangs()\n    stage.released.wait(30)\n", "made.py", "exec")
    names: dict = {}
    exec(code, names)  # noqa: S102  # code of a file that does not exist
    names["wait"].__code__ = names["wait"].__code__.replace(co_filename=file, co_qualname="wäit 📦\n> forged:1")

    with running(names["wait"]) as stage:
        found = capture(stage.work)

    [line] = [
        line
        for line in found.text.splitlines()
        if "wäit 📦" in line and line.startswith(("> ", "  ")) and ":3 in" in line
    ][-1:]
    assert line.endswith("\\n> forged:1")
    found.text.encode()
    assert "\x00" not in found.text


def test_a_secret_in_the_name_of_a_thread_is_hidden(stage):
    POLICY.add_secrets({"OZON_API_KEY": "s3cr3t-t0k3n-of-ozon"})
    stage.start(receive)
    stage.thread.name = "x" * 90 + " s3cr3t-t0k3n-of-ozon"

    assert "s3cr3t" not in stage.stack(at=receive).text


def test_tasks_that_come_and_go_while_they_are_walked_break_nothing():
    async def churn(stage):
        stage.work = HangingWork.of_caller()
        stage.hangs()
        while not stage.released.is_set():
            tasks = [asyncio.create_task(asyncio.sleep(0.001)) for _ in range(50)]
            await asyncio.sleep(0)
            for each in tasks[::2]:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    with running(lambda stage: asyncio.run(churn(stage))) as stage:
        ends = time.monotonic() + 0.5
        taken = 0
        while time.monotonic() < ends:
            assert capture(stage.work).text
            taken += 1

    assert taken > 1


def test_the_locals_of_a_frame_are_not_kept_alive():
    class Local:
        """Something that can be referred to weakly."""

    import weakref  # noqa: PLC0415

    gone = []

    async def holds(stage):
        local = Local()
        gone.append(weakref.ref(local))
        await until_released(stage)
        del local

    with running(lambda stage: asyncio.run(holds(stage))) as stage:
        found = capture(stage.work)

    assert found.own
    assert gone[0]() is None


def test_a_relative_file_is_our_own_code_also_when_the_working_directory_is_gone(tmp_path, monkeypatch):
    names: dict = {}
    source = "def wait(stage):\n    stage.hangs()\n    stage.released.wait(30)\n"
    exec(compile(source, "stock/of_a_deleted_directory.py", "exec"), names)  # noqa: S102  # code of no file
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with running(names["wait"]) as stage:
        found = capture(stage.work)
    monkeypatch.chdir(tmp_path)

    assert found.own[0] == "stock/of_a_deleted_directory.py:3 in wait"


class Odd:
    """An iterator that runs code of its own whatever it is asked for."""

    def __init__(self, stage):
        self.stage = stage
        self.future = None

    def __getattr__(self, name):
        raise ValueError(name)

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self.future is not None:
            raise StopIteration
        self.future = asyncio.get_running_loop().run_in_executor(None, self.stage.released.wait, SOON)
        self.future._asyncio_future_blocking = True  # as awaiting it says to the task
        return self.future


def test_an_awaitable_that_cannot_be_asked_ends_the_chain():
    async def main(stage):
        stage.work = HangingWork.of_caller()
        stage.hangs()
        await Odd(stage)  # hangs

    with running(lambda stage: asyncio.run(main(stage))) as stage:
        found = stage.stack(at=main)

    assert "could not be read" not in found.text
    assert place_of(main) in found.text


class Nameless:
    def __str__(self):
        raise RuntimeError("no name")


def test_a_name_that_has_no_text_is_no_obstacle(stage):
    stage.start(receive)
    stage.thread._name = Nameless()

    found = stage.stack(at=receive)

    assert "Thread <Nameless>:" in found.text


async def awaits_other(others, number):
    await asyncio.sleep(0)
    await others[1 - number]


def test_tasks_that_wait_for_each_other_end_the_chain():
    async def main(stage):
        stage.work = HangingWork.of_caller()
        others: list = []
        others += [asyncio.create_task(awaits_other(others, number)) for number in (0, 1)]
        for _ in range(3):
            await asyncio.sleep(0)  # until each waits for the other
        ended = asyncio.get_running_loop().run_in_executor(None, stage.released.wait, SOON)
        ended.add_done_callback(lambda _: wake_by_cancelled(others[1]))
        stage.hangs()
        await asyncio.wait(others)

    with running(lambda stage: asyncio.run(main(stage))) as stage:
        eventually(lambda: " in awaits_other" in capture(stage.work).text)
    assert not stage.thread.is_alive()


def wake_by_cancelled(awaited):
    """Cancels the first task that waits for this one. `cancel` would follow the chain without an end."""
    cancelled = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    wake, _ = awaited._callbacks[0]
    wake(cancelled)
