"""Telegram for tests of alerts: the sandbox's strict server as an httpx transport, with faults on request and a manual clock."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.fake_service import Environment
from service.sandbox.journal import Journal
from service.sandbox.options import Options
from service.sandbox.simulation import Simulation
from service.sandbox.telegram.fake import TelegramFake

NOON: Final = datetime(2025, 10, 2, 12, tzinfo=UTC).timestamp()
URL: Final = "http://telegram.test"
FAULTS: Final = ("429", "5xx", "foreign", "late", "reset", "dns", "killed before", "killed after")


class HandClock:
    """Unix time that only the test moves."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> float:
        self.now += seconds
        return self.now

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


class Killed(BaseException):
    """Stands for `kill -9`: no handler of the code under test catches it."""


class StrictTelegram(httpx.BaseTransport):
    """`fault` returns the fault of each call, or None. Half of the late and reset calls have taken effect."""

    def __init__(
        self, clock: HandClock, fault: Callable[[str], str | None] = lambda _method: None, **options: Any
    ) -> None:
        self.journal = Journal()
        simulation = Simulation(1, self.journal.start(1, clock.moment()), clock.moment)
        self._options = Options(**options)
        self.fake = TelegramFake(Environment(simulation, self.journal, self._options), clock)
        self.calls: list[tuple[float, str, int]] = []
        self.fault = fault
        self._clock = clock
        self._random = Random(1)
        self._app = Starlette(routes=[Mount("/", routes=self.fake.routes()["/telegram"])])

    def upgrade_chat(self) -> None:
        """The manager's group becomes a supergroup, with another id."""
        self._options.telegram_chat = "upgraded"

    def client(self) -> httpx.Client:
        return httpx.Client(transport=self)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.fake.expected_state("messages"))

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages]

    @property
    def sent_at(self) -> list[float]:
        """When each message or edit was accepted."""
        return [at for at, _method, status in self.calls if status == 200]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        method = request.url.path.rpartition("/")[2]
        fault = self.fault(method)
        if fault in {"late", "reset"} and self._random.random() < 0.5:
            self._fail_after(fault, request)
        self._fail_before(fault, request)
        refused = {"429": self._too_many, "5xx": _bad_gateway, "foreign": _blocked}.get(fault or "")
        response = self._record(method, self._respond(request) if refused is None else refused())
        if fault == "killed after":
            raise Killed
        self._fail_after(fault, request)
        return response

    def _too_many(self) -> httpx.Response:
        return httpx.Response(429, json=_too_many(self._random.randint(1, 40)))

    def _fail_before(self, fault: str | None, request: httpx.Request) -> None:
        if fault == "dns":
            raise httpx.ConnectError("[Errno -2] Name or service not known", request=request)
        if fault == "killed before":
            raise Killed

    def _fail_after(self, fault: str | None, request: httpx.Request) -> None:
        if fault == "late":
            self._clock.forward(10)
            raise httpx.ReadTimeout("timed out", request=request)
        if fault == "reset":
            raise httpx.ReadError("[Errno 104] Connection reset by peer", request=request)

    def _record(self, method: str, response: httpx.Response) -> httpx.Response:
        self.calls.append((self._clock(), method, response.status_code))
        return response

    def _respond(self, request: httpx.Request) -> httpx.Response:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.read(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        _run(self._app(_scope(request), receive, send))
        body = b"".join(message.get("body", b"") for message in sent)
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the coroutine waits")


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "root_path": "",
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("telegram.test", 80),
    }


def _bad_gateway() -> httpx.Response:
    return httpx.Response(502, text="<html>Bad Gateway</html>")


def _blocked() -> httpx.Response:
    """The page of a proxy or a provider, in Telegram's place."""
    return httpx.Response(403, text="<html>Access to this resource is blocked</html>")


def _too_many(seconds: int) -> dict[str, Any]:
    return {
        "ok": False,
        "error_code": 429,
        "description": f"Too Many Requests: retry after {seconds}",
        "parameters": {"retry_after": seconds},
    }


__all__ = ["FAULTS", "NOON", "TELEGRAM_CHAT_ID", "TELEGRAM_TOKEN", "URL", "HandClock", "Killed", "StrictTelegram"]
