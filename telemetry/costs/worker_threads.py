"""Charges the work that is handed over to other threads to whoever hands it over.

That is the threads that a job starts, thread pools (also those of `asyncio.to_thread` and `run_in_executor`), and
`anyio.to_thread`, in which FastAPI runs what is no coroutine.
"""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, Final

import anyio.to_thread

from telemetry.costs.account import CpuAccount, CpuSlice, current_account, for_this_account

_POOL_WORKER: Final = ("concurrent.futures.thread", "_worker")
_POOL_MODULES: Final = ("anyio.",)
_originals: list[tuple[Any, str, Any]] = []


def charge_worker_threads() -> None:
    """Begin. More than once is harmless."""
    if not _originals:
        for owner, name, charging in (
            (threading.Thread, "start", _starting),
            (ThreadPoolExecutor, "submit", _submitting),
            (anyio.to_thread, "run_sync", _running),
        ):
            original = getattr(owner, name)
            _originals.append((owner, name, original))
            setattr(owner, name, charging(original))


def leave_worker_threads() -> None:
    """End: undo it."""
    while _originals:
        owner, name, original = _originals.pop()
        setattr(owner, name, original)


def _starting(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(original)
    def start(self: threading.Thread) -> None:
        account = current_account()
        if account is not None and not _works_for_all(self):
            self.run = _Run(self, account)  # type: ignore[method-assign]  # a subclass has its own `run`
        original(self)

    return start


class _Run:
    """Runs a thread for an account."""

    def __init__(self, thread: threading.Thread, account: CpuAccount) -> None:
        self._thread = thread
        self._account = account
        self._run = thread.run

    def __call__(self) -> None:
        self._thread.__dict__.pop("run", None)  # it refers to the thread
        with CpuSlice(self._account):
            self._run()


def _works_for_all(thread: threading.Thread) -> bool:
    """Whether it is a thread of a pool, which the first that needs it starts."""
    target = getattr(thread, "_target", None)
    is_pool = (getattr(target, "__module__", ""), getattr(target, "__name__", "")) == _POOL_WORKER
    return is_pool or type(thread).__module__.startswith(_POOL_MODULES)


def _submitting(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return original(self, for_this_account(fn), *args, **kwargs)

    return submit


def _running(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Awaitable[Any]:
        return original(for_this_account(func), *args, **options)

    return run_sync
