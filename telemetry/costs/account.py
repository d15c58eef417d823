"""CPU accounts: to whom the CPU time of a thread is charged, by the thread's own clock and never by the wall's."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import thread_time
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class CostTotal:
    """What a job or a route has cost in this process: CPU seconds, and US dollars that others charged."""

    __slots__ = ("charged_usd", "cpu_seconds")

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.charged_usd = 0.0


PENDING: Final = CostTotal()
"""What accounts have whose total is not known yet: those of requests before their route is known."""


class CpuAccount:
    """The CPU time of one run or one request, in all threads that work for it.

    Attributes:
        seconds: so far, without the slices that are under way.
        charged_usd: US dollars that others charged for it.
        is_whole: False if a part of it was not measured, such as a block that another thread has left. Asked of runs only.
        total: also gets what is added.
    """

    __slots__ = ("charged_usd", "is_whole", "seconds", "total")

    def __init__(self, total: CostTotal | None = None) -> None:
        """`total` also gets what is added; without one, `settle_into` says later which."""
        self.seconds = 0.0
        self.charged_usd = 0.0
        self.is_whole = True
        self.total = total or PENDING

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.total.cpu_seconds += seconds

    def charge(self, usd: float) -> None:
        self.charged_usd += usd
        self.total.charged_usd += usd

    def continue_with(self, total: CostTotal) -> None:
        """Add from now on to the total as well, which has what was added so far."""
        self.total = total

    def settle_into(self, total: CostTotal) -> None:
        """Hand over what was added so far to the total, which from now on also gets what is added late."""
        PENDING.cpu_seconds -= self.seconds
        PENDING.charged_usd -= self.charged_usd
        total.cpu_seconds += self.seconds
        total.charged_usd += self.charged_usd
        self.total = total


class ThreadCharge:
    """To which account the CPU time of one thread goes, since which reading of the thread's clock."""

    __slots__ = ("account", "ident", "since")

    def __init__(self) -> None:
        self.account: CpuAccount | None = None
        self.since = 0.0
        self.ident = threading.get_ident()


class _Thread(threading.local):
    def __init__(self) -> None:
        self.charge = ThreadCharge()


this_thread: Final = _Thread()
_under_way: Final[set[ThreadCharge]] = set()
"""The charges of threads that are in a slice. A thread takes its own out before it ends: the clock of no dead one is read."""
_lock: Final = threading.RLock()


class CpuSlice:
    """`with CpuSlice(account)`: charges the CPU time of this thread to the account. A slice inside is charged to its own."""

    __slots__ = ("_account", "_charge", "_is_first", "_outer")

    def __init__(self, account: CpuAccount) -> None:
        self._account = account

    def __enter__(self) -> None:
        self._charge = charge = this_thread.charge
        self._outer = outer = charge.account
        now = thread_time()
        with _lock:
            if outer is not None:
                outer.add(now - charge.since)
            charge.account, charge.since = self._account, now
            self._is_first = charge not in _under_way
            _under_way.add(charge)

    def __exit__(self, *_error: object) -> None:
        charge = self._charge
        if charge is not this_thread.charge or charge.account is not self._account:
            self._account.is_whole = False  # a generator was closed elsewhere, or the process has forked
            return
        with _lock:
            now = thread_time()
            self._account.add(now - charge.since)
            charge.account, charge.since = self._outer, now
            if self._is_first:
                _under_way.discard(charge)


def current_account() -> CpuAccount | None:
    """The account that this thread works for now."""
    return this_thread.charge.account


def charge(usd: float) -> None:
    """Charge US dollars, such as the price of a call of another service, to the job or route that this thread works for."""
    if (account := this_thread.charge.account) is not None:
        account.charge(usd)


def for_this_account(function: Callable[P, T]) -> Callable[P, T]:
    """The same function for another thread, where its CPU time is charged to the account of this one."""
    account = this_thread.charge.account
    return function if account is None else partial(_run_for, account, function)


def _run_for(account: CpuAccount, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    with CpuSlice(account):
        return function(*args, **kwargs)


def uncharged(function: Callable[[], T]) -> T:
    """Call a function that starts a thread which works for all: that is charged to nobody."""
    own = this_thread.charge
    account, own.account = own.account, None
    try:
        return function()
    finally:
        own.account = account


def settle() -> None:
    """Charge the slices that are under way so far, so that the accounts are up to date."""
    with _lock:
        for each in tuple(_under_way):
            with suppress(OSError):
                now, account = _clock_of(each.ident), each.account
                if account is not None and now > each.since:
                    account.add(now - each.since)
                    each.since = now


def _clock_of(ident: int) -> float:
    """The CPU time of another thread, which is alive.

    Raises:
        OSError: the system does not say it.
    """
    if ident == threading.get_ident():
        return thread_time()
    if not hasattr(time, "pthread_getcpuclockid"):
        raise OSError("no clock of another thread")
    return time.clock_gettime(time.pthread_getcpuclockid(ident))


def restart_in_child() -> None:
    """The threads, and the CPU time so far, are the parent's."""
    _under_way.clear()
    this_thread.charge.account = None
    PENDING.cpu_seconds = PENDING.charged_usd = 0.0
