"""Faults: what goes wrong on purpose, at the rates that are set, in front of every fake service."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WORDS: Final = {"429": "too_many", "5xx": "server_error"}
_LONGEST_HOLD: Final = 3600


@dataclass(slots=True)
class Faults:
    """Shares of all calls, 0 to 1. Half of the timeouts and cuts come after the call has had its effect.

    Attributes:
        hold: seconds that a call which times out is held, longer than any client waits.
    """

    too_many: float = 0.0
    server_error: float = 0.0
    timeout: float = 0.0
    cut: float = 0.0
    malformed: float = 0.0
    hold: float = 90.0

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """`429=0.04,5xx=0.04,timeout=0.04,cut=0.04,malformed=0.04`; one number is shared by all five.

        Raises:
            ValueError: with the sentence that says what it may be.
        """
        if re.fullmatch(r"[0-9.]+", text):
            return cls.from_mapping(dict.fromkeys(KINDS, _number("The rate of the faults", text) / len(KINDS)))
        pairs = (part.partition("=") for part in text.split(",") if part.strip())
        return cls.from_mapping({name.strip(): value for name, _, value in pairs})

    @classmethod
    def from_mapping(cls, rates: Mapping[str, Any]) -> "Faults":
        known = {field.name for field in fields(cls)}
        given = {_WORDS.get(name, name): value for name, value in rates.items()}
        if unknown := given.keys() - known:
            raise ValueError(f"There is no fault {min(unknown)!r}. There are: {', '.join(sorted(known))}.")
        faults = cls(**{name: _number(name, value) for name, value in given.items()})
        if sum(getattr(faults, kind) for kind in KINDS) > 1 + 1e-9:
            raise ValueError("The rates of the faults are more than 1 together.")
        return faults

    def as_mapping(self) -> dict[str, float]:
        return asdict(self)

    def choose(self, random: Random) -> str | None:
        """The fault of one call; None for a call that is served."""
        drawn = random.random()
        for kind in KINDS:
            drawn -= getattr(self, kind)
            if drawn < 0:
                return kind
        return None


KINDS: Final = ("too_many", "server_error", "timeout", "cut", "malformed")


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    highest = _LONGEST_HOLD if name == "hold" else 1
    if not 0 <= number <= highest:
        raise ValueError(f"{name} is {value!r}, but must be a number from 0 to {highest}.")
    return number


class Refusals(Protocol):
    """How a service says that it won't."""

    def too_many(self, seconds: int) -> Response: ...
    def server_error(self) -> Response: ...


class Cut(Exception):  # it ends a connection
    """The connection is closed in the middle."""


class FaultyService:
    """An application, with the faults that are set at the moment of a call."""

    def __init__(self, app: ASGIApp, refusals: Refusals, faults: Callable[[], Faults], random: Random) -> None:
        self._app = app
        self._refusals = refusals
        self._faults = faults
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        faults = self._faults()
        kind = faults.choose(self._random) if scope["type"] == "http" else None
        if kind is None:
            await self._app(scope, receive, send)
        elif kind == "too_many":
            await self._refusals.too_many(self._random.randint(1, 2))(scope, receive, send)
        elif kind == "server_error":
            await self._refusals.server_error()(scope, receive, send)
        else:
            await self._interrupt(kind, faults, scope, receive, send)

    async def _interrupt(self, kind: str, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer()
        if kind == "malformed" or self._random.random() < 0.5:  # noqa: PLR2004  # half of them
            await self._app(scope, receive, answer.keep)
        if kind == "malformed":
            await answer.broken()(scope, receive, send)
            return
        if kind == "timeout":
            await _hold(receive, faults.hold)
        for message in answer.begun():
            await send(message)
        raise Cut


class _Answer:
    """An answer that its client never gets, or not as it is."""

    def __init__(self) -> None:
        self._status = 200
        self._body = b""

    async def keep(self, message: Message) -> None:
        self._body += message.get("body", b"")
        self._status = message.get("status", self._status)

    @property
    def _half(self) -> bytes:
        return self._body[: len(self._body) // 2]

    def broken(self) -> Response:
        """Not JSON any more, and said to be whole. (A 204 has no body to be broken.)"""
        status = 200 if self._status == 204 else self._status  # noqa: PLR2004  # see above
        return Response(self._half or b"<html>", status, media_type="application/json")

    def begun(self) -> list[Message]:
        """The beginning of an answer. Without one, the server would answer what is raised after it with a 500 of its own."""
        length = str(len(self._body) + 1).encode()
        return [
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]},
            {"type": "http.response.body", "body": self._half, "more_body": True},
        ]


async def _hold(receive: Receive, seconds: float) -> None:
    """Until the client has gone, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass
