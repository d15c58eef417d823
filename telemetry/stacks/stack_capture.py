"""Takes the stack of what hangs: of its thread, of the tasks of its event loop, and of the threads that these wait for."""

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from telemetry.json_safe import to_text, without_surrogates
from telemetry.redaction.policy import redact
from telemetry.stacks.await_chain import AnyTask, AwaitChain, await_chain, running_task
from telemetry.stacks.loop_tasks import current_task, is_idle, loops_of_thread, main_task, tasks_of_loop
from telemetry.stacks.stack_frames import (
    Frames,
    StackFrame,
    frames_by_thread,
    frames_from,
    frames_of_thread,
    own_locations,
    shown,
)

MAX_STACK_LENGTH: Final = 16 * 1024
"""Characters of a stack as text."""
OWN_FRAMES: Final = 3
"""The number of frames of our own code that an alert or a log line names."""
_SUMMARY_LINES: Final = OWN_FRAMES + 1
_MAX_SUMMARY: Final = 1000
_MAX_TASKS: Final = 20
_MAX_TASK_FRAMES: Final = 8
_MAX_THREADS: Final = 5
_MAX_LABEL: Final = 100
_EXECUTOR: Final = "concurrent/futures/thread.py"
_OWN_HEADING: Final = "In the application's own code, innermost first:"
_GONE: Final = "(it has ended, or executes no Python code)"


@dataclass(frozen=True, slots=True)
class HangingWork:
    """What hangs: the thread that began it, and the task, if there was one. `thread`: if the id may be another one's by now."""

    thread_id: int
    task: AnyTask | None = None
    thread: threading.Thread | None = None

    @classmethod
    def of_caller(cls) -> "HangingWork":
        return cls(threading.get_ident(), running_task(), threading.current_thread())

    @property
    def has_thread(self) -> bool:
        return self.thread is None or self.thread.is_alive()


@dataclass(frozen=True, slots=True)
class CapturedStack:
    """A stack without secrets. Its text begins with the innermost frames of our own code, the innermost first."""

    text: str
    own: tuple[str, ...] = ()


def capture(work: HangingWork) -> CapturedStack:
    """Take the stack. What cannot be read is left out, and named: tasks may be of any class, and go on meanwhile."""
    found = _Sections()
    try:
        found.add(work)
    except Exception as error:  # noqa: BLE001  # an edge: an unusual task must not cost the rest
        found.add_failure(error)
    own = own_locations(found.main, OWN_FRAMES)
    lines = [_OWN_HEADING, *(f"  {each}" for each in own), ""] if own else []
    text = _bounded(redact(without_surrogates("\n".join([*lines, found.text()]))))
    return CapturedStack(text, own_frames(text))


def stack_summary(text: str) -> str:
    """The beginning of a stack's text: the frames of our own code; without any, its first lines."""
    head, blank, _ = text.partition("\n\n")
    if blank and head.startswith(_OWN_HEADING):
        return head
    return "\n".join(text.split("\n")[:_SUMMARY_LINES])[:_MAX_SUMMARY]


def own_frames(text: str) -> tuple[str, ...]:
    """The frames with which the text of a stack begins."""
    first, *rest = text.partition("\n\n")[0].split("\n")
    return tuple(line.strip() for line in rest[:OWN_FRAMES]) if first == _OWN_HEADING else ()


@dataclass(slots=True)
class _Sections:
    """The parts of a stack as they are found. `main` are the frames of what hangs, over all threads and tasks it goes through."""

    main: Frames = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        return "\n".join(self._lines)

    def add(self, work: HangingWork) -> None:
        if work.task is not None and not work.task.done():
            self.add_task(work.task, work.thread_id)
        elif work.has_thread:
            self.add_thread(work.thread_id)
        else:
            self.add_ended(work.thread)

    def add_failure(self, error: Exception) -> None:
        self._lines.append(f"(the rest could not be read: {type(error).__name__})")

    def add_ended(self, thread: threading.Thread | None) -> None:
        self._add(f"Thread {_label(thread.name if thread else '')}", [])

    def add_thread(self, thread_id: int) -> None:
        """What a thread executes. If that is an event loop, what its main task awaits."""
        frames = frames_of_thread(thread_id)
        self.main += frames
        self._add(f"Thread {_thread_name(thread_id)}", frames)
        for loop in loops_of_thread(thread_id, frames):
            tasks, known = tasks_of_loop(loop), list[AnyTask]()
            if (main := main_task(tasks)) is not None and current_task(loop) is None:
                known = self._add_chain(await_chain(main))
            self._add_tasks(loop, tasks, known)

    def add_task(self, task: AnyTask, thread_id: int) -> None:
        """What a task awaits. While it is executed, or blocked, what its thread executes."""
        loop, frames, known = task.get_loop(), frames_of_thread(thread_id), [task]
        if current_task(loop) is task:
            self.main += frames
            self._add(f"Thread {_thread_name(thread_id)}, executes {_task_name(task)}", frames)
        else:
            known = self._add_chain(await_chain(task))
            if not is_idle(loop, frames):
                self._add(f"Thread {_thread_name(thread_id)} of the event loop, which is busy", frames)
        self._add_tasks(loop, tasks_of_loop(loop), known)

    def _add_chain(self, chain: AwaitChain) -> list[AnyTask]:
        """Returns the tasks of the chain."""
        self.main += chain.frames
        self._add("Task " + ", which awaits ".join(map(_task_name, chain.tasks)), chain.frames)
        threads = _threads_of(chain)
        for name, frames in threads[:_MAX_THREADS]:
            self._add(f"Thread {name}, for which it waits" if len(threads) == 1 else f"Thread {name}, maybe", frames)
        if len(threads) == 1:
            self.main += threads[0][1]
        return chain.tasks

    def _add_tasks(self, loop: asyncio.AbstractEventLoop, tasks: list[AnyTask], known: Sequence[AnyTask]) -> None:
        others = [each for each in tasks if each not in known]
        for task in others[:_MAX_TASKS]:
            state = "is executed" if current_task(loop) is task else "waits"
            self._add(f"Another task, {_task_name(task)}, {state}", await_chain(task).frames[-_MAX_TASK_FRAMES:])
        if len(others) > _MAX_TASKS:
            self._lines.append(f"{len(others) - _MAX_TASKS:,} more tasks of this event loop")

    def _add(self, label: str, frames: Frames) -> None:
        self._lines += [f"{label}:", *(shown(frames) or [f"  {_GONE}"])]


def _threads_of(chain: AwaitChain) -> list[tuple[str, Frames]]:
    """The threads that a chain waits for. More than one where only the function, or only the executor is known."""
    held = {thread.ident for thread in chain.threads}
    if not held and not chain.functions and not chain.awaits_executor:
        return []
    current = frames_by_thread()
    every = [(thread, frames_from(current.get(thread.ident or 0))) for thread in _threads()]
    if held:
        found = [each for each in every if each[0].ident in held]
    else:
        found = [each for each in every if any(frame.code in chain.functions for frame in each[1])]
        found = found or [each for each in every if chain.awaits_executor and any(map(_is_executor, each[1]))]
    return [(_label(thread.name), frames) for thread, frames in found if frames]


def _is_executor(frame: StackFrame) -> bool:
    return frame.code.co_name == "run" and frame.code.co_filename.endswith(_EXECUTOR)


def _threads() -> Iterable[threading.Thread]:
    """Like `threading.enumerate`, without its lock, which a fork may have left locked."""
    return list(threading._active.values())  # type: ignore[attr-defined]  # noqa: SLF001


def _thread_name(thread_id: int) -> str:
    thread = threading._active.get(thread_id)  # type: ignore[attr-defined]  # noqa: SLF001
    return str(thread_id) if thread is None else _label(thread.name)


def _task_name(task: AnyTask) -> str:
    return _label(task.get_name())


def _label(name: object) -> str:
    text = redact(to_text(name))[:_MAX_LABEL]  # a secret that was cut would not be found
    return text if text.isprintable() else ascii(text)


def _bounded(text: str) -> str:
    """The beginning: there is what hangs."""
    if len(text) <= MAX_STACK_LENGTH:
        return text
    note = "\n… the rest is left out"
    return text[: MAX_STACK_LENGTH - len(note)].rpartition("\n")[0] + note
