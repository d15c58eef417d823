"""Runs each measurement in a process of its own.

Contenders share nothing: no registry, no patched library, and none of OpenTelemetry's global providers, with which FastAPI
would switch its own telemetry on.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

_SPAWN = multiprocessing.get_context("spawn")
_TIMEOUT = 120.0

Measure = Callable[..., Any]


class MeasurementFailed(Exception):
    """The process raised, ended or hung; the message says which."""


class Subprocess:
    """A process in which `make(*args)` returns the function that `call` calls."""

    def __init__(self, make: Callable[..., Measure], *args: Any) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, make, args), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, *args: Any) -> Any:
        try:
            self._pipe.send(args)
            if not self._pipe.poll(_TIMEOUT):
                raise MeasurementFailed(f"no response within {_TIMEOUT:.0f} s")
            succeeded, result = self._pipe.recv()
        except (EOFError, OSError):
            raise MeasurementFailed("its process ended") from None
        if not succeeded:
            raise MeasurementFailed(result)
        return result

    def close(self) -> None:
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SubprocessGroup:
    """Several processes that are called in turn. One that fails is left out from then on, and its error is kept."""

    def __init__(self, makers: dict[str, tuple[Callable[..., Measure], *tuple[Any, ...]]]) -> None:
        self._makers = makers
        self._subprocesses: dict[str, Subprocess] = {}
        self.errors: dict[str, MeasurementFailed] = {}

    def __enter__(self) -> Self:
        self._subprocesses = {name: Subprocess(*maker) for name, maker in self._makers.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._subprocesses.values():
            process.close()

    @property
    def names(self) -> list[str]:
        return list(self._makers)

    def call(self, name: str, *args: Any) -> Any:
        """Call a process; None if it fails now or has failed before."""
        if name in self.errors:
            return None
        try:
            return self._subprocesses[name].call(*args)
        except MeasurementFailed as error:
            self.errors[name] = error
            return None

    def rounds(self, number: int, *args: Any) -> Iterable[dict[str, Any]]:
        """The results of each round, by name."""
        for _ in range(number):
            results = {name: self.call(name, *args) for name in self._makers}
            yield {name: result for name, result in results.items() if result is not None}


def _serve(pipe: Connection, make: Callable[..., Measure], args: tuple[Any, ...]) -> None:
    _silence_output()
    measure: Measure | None = None
    try:
        while True:
            arguments = pipe.recv()
            try:
                measure = measure or make(*args)
                pipe.send((True, measure(*arguments)))
            except Exception as error:  # noqa: BLE001  # a contender may fail in any way, and its row shows the error
                pipe.send((False, f"{type(error).__name__}: {error}".partition("\n")[0]))
    except (EOFError, OSError, KeyboardInterrupt):  # the parent has closed the pipe
        os._exit(0)  # without waiting for the contender's threads


def _silence_output() -> None:
    """Discard stdout and stderr: only the tables are printed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
