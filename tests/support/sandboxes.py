"""A client of a sandbox, and a sandbox that a test runs as a program of its own."""

from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from service.sandbox import credentials
from tests.support.processes import Program, Programs, free_port

SECRETS: Final = (
    credentials.wb_token(),
    *credentials.wb_token().split("."),
    credentials.OZON_API_KEY,
    credentials.OPENAI_API_KEY,
    credentials.TELEGRAM_TOKEN,
    credentials.TELEGRAM_TOKEN.partition(":")[2],
)


@dataclass(frozen=True)
class SandboxClient:
    """A client of the sandbox's control routes."""

    url: str

    @classmethod
    def at(cls, port: int) -> "SandboxClient":
        return SandboxClient(f"http://127.0.0.1:{port}")

    def is_up(self) -> bool:
        try:
            return "x-sandbox" in httpx.get(self.url, timeout=10, trust_env=False).headers
        except httpx.TransportError:
            return False

    def page(self) -> str:
        """Its start page, which shows the seed and the epoch of the simulation."""
        answer = httpx.get(self.url, timeout=10, trust_env=False)
        assert answer.headers["x-sandbox"] == "sovani"
        return answer.text

    def expected_state(self, service: str, kind: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/sandbox/truth/{service}/{kind}", timeout=60, trust_env=False)
        objects: list[dict[str, Any]] = answer.raise_for_status().json()[kind]
        return objects

    def calls(self) -> list[dict[str, Any]]:
        """What became of the calls so far, with numbers: see `service.sandbox.served_calls`."""
        answer = httpx.get(f"{self.url}/sandbox/calls", timeout=10, trust_env=False)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["calls"]
        return found

    def set_faults(self, **rates: float) -> None:
        httpx.put(f"{self.url}/sandbox/faults", json=rates, timeout=10, trust_env=False).raise_for_status()

    def freeze(self) -> None:
        body = {"living": False}
        httpx.put(f"{self.url}/sandbox/living", json=body, timeout=10, trust_env=False).raise_for_status()

    def ozon(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call a method of Ozon's API as a client does."""
        headers = {"Client-Id": credentials.OZON_CLIENT_ID, "Api-Key": credentials.OZON_API_KEY}
        answer = httpx.post(f"{self.url}/ozon{path}", json=body, headers=headers, timeout=10, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


@dataclass(frozen=True)
class StartedSandbox(SandboxClient):
    """A sandbox that the test has started, and can stop."""

    program: Program

    @classmethod
    def start(cls, programs: Programs, faults: str = "0", **options: object) -> Self:
        """Start a sandbox with options such as `wb_orders=20_000`, and wait until it answers."""
        port, flags = free_port(), [f"--option={name}={value}" for name, value in options.items()]
        command = ("-m", "service.sandbox", "--port", str(port), "--faults", faults, *flags)
        program = programs.start(*command, port=port)
        program.wait_for("/")
        return cls(program.url, program)

    def variables(self, **others: str) -> dict[str, str]:
        """Environment variables of a service that uses it as Wildberries."""
        return {
            "SANDBOX": "false",
            "WB_API_TOKEN": credentials.wb_token(),
            "WB_FEEDBACKS_URL": f"{self.url}/wb-feedbacks",
            "WB_STATISTICS_URL": f"{self.url}/wb-statistics",
            **others,
        }
