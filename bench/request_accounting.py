"""What it costs to charge a request with its CPU time: the same middleware with the accounting, and with its lines taken out.

Both are in one process, before the same application, and take turns in runs of some hundred microseconds. The twentieth part
of the runs that is the fastest is hardly touched by the machine's other load. Processes differ by their memory layout.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from time import thread_time
from types import ModuleType
from typing import Any

from opentelemetry import context as otel_context

from bench.contenders import build
from bench.progress import say
from bench.request_cost import drive
from bench.subprocess_runner import Subprocess
from bench.table import NOT_MEASURED, Table
from telemetry.instrumentation.fastapi import server_middleware, server_request

PROCESSES, QUICK_PROCESSES = 9, 3
RUNS, QUICK_RUNS = 3000, 1000
OURS = "this project: metrics, traces at 10 %, jobs"
_WARM_UP = 100
_REQUESTS = 5
_READINGS = 50
_ACCOUNTING = {
    "class ServerRequest(StepAccount):": "class ServerRequest:",
    "        self.seconds, self.charged_usd, self.total = 0.0, 0.0, PENDING\n": "",
    """            if self.seconds or self.charged_usd:  # it has waited: else nothing is to be handed over
                self.settle_into(series.cost)
            else:
                self.total = series.cost
""": "",
}
"""The lines of the accounting in the module of the request, and what is there without it."""


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table(
        "The CPU time that a request is charged with: what it costs to measure it",
        ["", "CPU µs", "more"],
        "the 5th percentile of many short runs, the median of the processes",
    )
    processes, runs = (QUICK_PROCESSES, QUICK_RUNS) if quick else (PROCESSES, RUNS)
    found: list[tuple[float, float, float]] = []
    for i in range(1, processes + 1):
        say("costs", f"process {i} of {processes}")
        with Subprocess(driver, directory) as process:
            process.call(_WARM_UP)
            found.append(process.call(runs))
    without = median(each[0] for each in found)
    more = median(each[1] - each[0] for each in found)
    readings = median(each[2] for each in found)
    table.add("a request, not charged", f"{without:.1f}", NOT_MEASURED)
    table.add("costs: per request", f"{without + more:.1f}", f"{more:+.2f}")
    table.add("of that, two readings of a thread's clock in a loop", NOT_MEASURED, f"{2 * readings:+.2f}")
    yield table


def driver(directory: Path) -> Callable[[int], tuple[float, float, float]]:
    """Returns a function that returns the CPU microseconds of a request without and with it, and of a reading."""
    charged = build(OURS, directory).build_middleware_stack()
    assert type(charged) is server_middleware.HTTPServerMiddleware
    apps = (_Uncharged(charged.app, charged._measuring), charged)
    runner = asyncio.Runner()

    async def run(app: Any) -> float:
        await drive(app, 1)
        started = thread_time()
        await drive(app, _REQUESTS)
        return (thread_time() - started) / _REQUESTS * 1e6

    async def take_turns(number: int) -> list[tuple[float, float, float]]:
        return [(await run(apps[0]), await run(apps[1]), _reading()) for _ in range(number)]

    def measure(runs: int) -> tuple[float, float, float]:
        without, with_it, reading = (
            quantiles(each, n=20)[0] for each in zip(*runner.run(take_turns(runs)), strict=True)
        )
        return without, with_it, reading

    return measure


def _reading() -> float:
    started = thread_time()
    for _ in range(_READINGS - 1):
        thread_time()
    return (thread_time() - started) / _READINGS * 1e6


class _Uncharged(server_middleware.HTTPServerMiddleware):
    """As its parent, without the lines that charge the request."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._request = _without_accounting(server_request).ServerRequest

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        request = self._request(self._measuring, scope, receive, send)
        token = None
        try:
            scope[server_middleware._MEASURED] = scope[server_middleware._FASTAPI_TELEMETRY] = None
            path = scope["path"]
            if path not in self._untraced_paths and not path.startswith(self._untraced_beginnings):
                token = request.start()
            await self._inner(scope, request.receive if request.connection is None else receive, request.pass_on)
        except Exception as error:
            request.fail(error)
            raise
        finally:
            if request.is_open or request.span is not None:
                request.end()
            scope.pop(server_middleware._MEASURED, None)
            scope.pop(server_middleware._FASTAPI_TELEMETRY, None)
            if token is not None:
                otel_context.detach(token)


def _without_accounting(module: ModuleType) -> Any:
    source = inspect.getsource(module)
    for line, instead in _ACCOUNTING.items():
        assert source.count(line) == 1, f"{module.__name__} has other lines of accounting than this benchmark knows"
        source = source.replace(line, instead)
    without = ModuleType(module.__name__)
    exec(compile(source, module.__file__ or "", "exec"), without.__dict__)  # noqa: S102  # our own module
    return without
