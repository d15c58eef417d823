"""A fake service: what each of the four is to the sandbox."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from service.sandbox.journal import Journal
from service.sandbox.options import Options
from service.sandbox.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Environment:
    """What every fake stands on."""

    world: Simulation
    journal: Journal
    options: Options


class FakeService(Protocol):
    """Served below each of its prefixes; `truth` is what a client ought to have in the end, by kind."""

    def routes(self) -> dict[str, list[BaseRoute]]:
        """The routes below each prefix, such as `/wb-feedbacks`."""
        ...

    def truth(self, kind: str) -> Iterable[dict[str, Any]]:
        """Raises:
        KeyError: there is nothing of that kind.
        """
        ...

    def too_many(self, seconds: int) -> Response: ...
    def server_error(self) -> Response: ...
