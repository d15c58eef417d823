"""Remote: what is measured runs in a process of its own, and measures when it is asked to.

Contenders share nothing: no registry, no patched library, none of OpenTelemetry's global providers, at whose sight FastAPI
switches its own telemetry on.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE = 120.0

Measure = Callable[..., Any]


class Failed(Exception):
    """The process raised, ended or hung; the sentence says which."""


class Remote:
    """`make(*args)` is called in the new process, and gives the function that answers `ask`."""

    def __init__(self, make: Callable[..., Measure], *args: Any) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, make, args), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, *question: Any) -> Any:
        try:
            self._pipe.send(question)
            if not self._pipe.poll(_PATIENCE):
                raise Failed(f"no answer within {_PATIENCE:.0f} s")
            well, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise Failed("its process ended") from None
        if not well:
            raise Failed(answer)
        return answer

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


class Team:
    """Several remotes that are asked in turn, round after round; one that fails is out, and its error is kept."""

    def __init__(self, makers: dict[str, tuple[Callable[..., Measure], *tuple[Any, ...]]]) -> None:
        self._makers = makers
        self._remotes: dict[str, Remote] = {}
        self.errors: dict[str, Failed] = {}

    def __enter__(self) -> Self:
        self._remotes = {name: Remote(*maker) for name, maker in self._makers.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for remote in self._remotes.values():
            remote.close()

    @property
    def names(self) -> list[str]:
        return list(self._makers)

    def ask(self, name: str, *question: Any) -> Any:
        """None from one that failed, now or before."""
        if name in self.errors:
            return None
        try:
            return self._remotes[name].ask(*question)
        except Failed as error:
            self.errors[name] = error
            return None

    def rounds(self, number: int, *question: Any) -> Iterable[dict[str, Any]]:
        """The answers of each round, by name."""
        for _ in range(number):
            answers = {name: self.ask(name, *question) for name in self._makers}
            yield {name: answer for name, answer in answers.items() if answer is not None}


def _serve(pipe: Connection, make: Callable[..., Measure], args: tuple[Any, ...]) -> None:
    _be_quiet()
    measure: Measure | None = None
    try:
        while True:
            question = pipe.recv()
            try:
                measure = measure or make(*args)
                pipe.send((True, measure(*question)))
            except Exception as error:  # noqa: BLE001  # a contender may fail in any way, and its row says how
                pipe.send((False, f"{type(error).__name__}: {error}".partition("\n")[0]))
    except (EOFError, OSError, KeyboardInterrupt):  # nobody asks any more
        os._exit(0)  # without waiting for what the contender left running


def _be_quiet() -> None:
    """The output is the tables'."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
