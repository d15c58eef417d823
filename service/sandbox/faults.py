"""Injects faults into the responses of the fake services, at configurable rates."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.sandbox.served_calls import NO_FAULT

_ALIASES: Final = {"429": "too_many", "5xx": "server_error"}
_MAX_HOLD_SECONDS: Final = 3600


@dataclass(slots=True)
class Faults:
    """The rates of the faults, as shares of all calls from 0 to 1. The field names are those of the sandbox's API.

    Half of the timeouts and cuts come after the call has had its effect.

    Attributes:
        too_many: responses with status 429.
        server_error: responses with a status of 500 or more.
        timeout: calls that are not answered in time.
        cut: responses that end in the middle.
        malformed: responses with invalid JSON.
        hold: seconds until a call that times out is cut; longer than any client waits.
    """

    too_many: float = 0.0
    server_error: float = 0.0
    timeout: float = 0.0
    cut: float = 0.0
    malformed: float = 0.0
    hold: float = 90.0

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Parse `429=0.04,5xx=0.04,timeout=0.04,cut=0.04,malformed=0.04`; a single number is divided among all five.

        Raises:
            ValueError: the text is invalid; the message is a sentence for the user.
        """
        if re.fullmatch(r"[0-9.]+", text):
            return cls.from_mapping(
                dict.fromkeys(FAULT_KINDS, _number("The rate of the faults", text) / len(FAULT_KINDS))
            )
        pairs = (part.partition("=") for part in text.split(",") if part.strip())
        return cls.from_mapping({name.strip(): value for name, _, value in pairs})

    @classmethod
    def from_mapping(cls, rates: Mapping[str, Any]) -> "Faults":
        """Rates by name; `429` and `5xx` are accepted as well. Faults that are not named have the rate 0.

        Raises:
            ValueError: a name or a rate is invalid; the message is a sentence for the user.
        """
        known = {field.name for field in fields(cls)}
        given = {_ALIASES.get(name, name): value for name, value in rates.items()}
        if unknown := given.keys() - known:
            raise ValueError(f"There is no fault {min(unknown)!r}. There are: {', '.join(sorted(known))}.")
        faults = cls(**{name: _number(name, value) for name, value in given.items()})
        if sum(getattr(faults, kind) for kind in FAULT_KINDS) > 1 + 1e-9:
            raise ValueError("The rates of the faults are more than 1 together.")
        return faults

    def as_mapping(self) -> dict[str, float]:
        return asdict(self)

    def choose(self, random: Random) -> str | None:
        """Draw the fault of one call; None for a call without a fault."""
        drawn = random.random()
        for kind in FAULT_KINDS:
            drawn -= getattr(self, kind)
            if drawn < 0:
                return kind
        return None


FAULT_KINDS: Final = ("too_many", "server_error", "timeout", "cut", "malformed")


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    highest = _MAX_HOLD_SECONDS if name == "hold" else 1
    if not 0 <= number <= highest:
        raise ValueError(f"{name} is {value!r}, but must be a number from 0 to {highest}.")
    return number


class ErrorResponses(Protocol):
    """A service's own error responses."""

    def rate_limited(self, seconds: int) -> Response: ...
    def server_error(self) -> Response: ...


class ConnectionCut(Exception):  # no error: it ends a connection
    """Makes the server close the connection in the middle of a response."""


OnServed = Callable[[str, int | None, int | None], None]
"""Takes the fault of a call, the status that its client got, and that of the service itself: see `ServedCall`."""


class FaultyService:
    """ASGI middleware that injects faults. `faults` returns the current rates; `on_served` is told of each call."""

    def __init__(
        self,
        app: ASGIApp,
        errors: ErrorResponses,
        faults: Callable[[], Faults],
        random: Random,
        on_served: OnServed,
    ) -> None:
        self._app = app
        self._errors = errors
        self._faults = faults
        self._random = random
        self._on_served = on_served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        faults = self._faults()
        fault = faults.choose(self._random) if scope["type"] == "http" else None
        if fault is None:
            response = _BufferedResponse()
            await self._app(scope, receive, response.passing_on(send))
            self._on_served(NO_FAULT, response.status, response.status)
        elif fault == "too_many":
            await self._refuse(fault, self._errors.rate_limited(self._random.randint(1, 2)), scope, receive, send)
        elif fault == "server_error":
            await self._refuse(fault, self._errors.server_error(), scope, receive, send)
        else:
            await self._interrupt(fault, faults, scope, receive, send)

    async def _refuse(self, fault: str, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        self._on_served(fault, response.status_code, None)
        await response(scope, receive, send)

    async def _interrupt(self, fault: str, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        response = _BufferedResponse()
        reached: int | None = None
        if fault == "malformed" or self._random.random() < 0.5:  # noqa: PLR2004  # half of them
            await self._app(scope, receive, response.buffer)
            reached = response.status
        if fault == "malformed":
            malformed = response.malformed()
            self._on_served(fault, malformed.status_code, reached)
            await malformed(scope, receive, send)
            return
        self._on_served(fault, None, reached)
        if fault == "timeout":
            await _hold(receive, faults.hold)
        for message in response.beginning():
            await send(message)
        raise ConnectionCut


class _BufferedResponse:
    """Buffers a response that the client gets only in part, or not at all."""

    def __init__(self) -> None:
        self.status = 200
        self._body = b""

    async def buffer(self, message: Message) -> None:
        self._body += message.get("body", b"")
        self.status = message.get("status", self.status)

    def passing_on(self, send: Send) -> Send:
        """Only the status is kept."""

        async def pass_on(message: Message) -> None:
            self.status = message.get("status", self.status)
            await send(message)

        return pass_on

    @property
    def _half(self) -> bytes:
        return self._body[: len(self._body) // 2]

    def malformed(self) -> Response:
        """Half of the body, which is no valid JSON, as a complete response. A 204, which has no body, becomes a 200."""
        status = 200 if self.status == 204 else self.status  # noqa: PLR2004  # see above
        return Response(self._half or b"<html>", status, media_type="application/json")

    def beginning(self) -> list[Message]:
        """The first half of the response. Without it, the server would answer the following exception with a 500."""
        length = str(len(self._body) + 1).encode()
        return [
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]},
            {"type": "http.response.body", "body": self._half, "more_body": True},
        ]


async def _hold(receive: Receive, seconds: float) -> None:
    """Wait until the client disconnects, for `seconds` at most."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass
