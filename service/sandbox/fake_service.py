"""The protocol of the fake services, and the environment that they share."""

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
    """The objects that every fake service uses."""

    simulation: Simulation
    journal: Journal
    options: Options


class FakeService(Protocol):
    """A fake of an external service."""

    def routes(self) -> dict[str, list[BaseRoute]]:
        """The routes below each prefix, such as `/wb-feedbacks`."""
        ...

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        """The objects of a kind, such as `reviews`, as a client should have them after a complete sync.

        Raises:
            KeyError: the service has no such kind.
        """
        ...

    def rate_limited(self, seconds: int) -> Response:
        """The service's response with status 429: the client is to wait for so many seconds."""
        ...

    def server_error(self) -> Response:
        """The service's response with a status of 500 or more."""
        ...
