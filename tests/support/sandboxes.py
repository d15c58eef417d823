"""Sandboxes: one as a program of a test's own, the variables that lead to it, and how it is asked and steered."""

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
    """A sandbox that answers, whoever has started it."""

    url: str

    @classmethod
    def at(cls, port: int) -> "SandboxClient":
        return SandboxClient(f"http://127.0.0.1:{port}")

    def answers(self) -> bool:
        try:
            return "x-sandbox" in httpx.get(self.url, timeout=10, trust_env=False).headers
        except httpx.TransportError:
            return False

    def page(self) -> str:
        """Its own page, which says from which seed and moment its world is."""
        answer = httpx.get(self.url, timeout=10, trust_env=False)
        assert answer.headers["x-sandbox"] == "sovani"
        return answer.text

    def expected_state(self, service: str, kind: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/sandbox/truth/{service}/{kind}", timeout=60, trust_env=False)
        found: list[dict[str, Any]] = answer.raise_for_status().json()[kind]
        return found

    def set_faults(self, **rates: float) -> None:
        httpx.put(f"{self.url}/sandbox/faults", json=rates, timeout=10, trust_env=False).raise_for_status()

    def freeze(self) -> None:
        asked = {"living": False}
        httpx.put(f"{self.url}/sandbox/living", json=asked, timeout=10, trust_env=False).raise_for_status()

    def ozon(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Asked as a client asks."""
        headers = {"Client-Id": credentials.OZON_CLIENT_ID, "Api-Key": credentials.OZON_API_KEY}
        answer = httpx.post(f"{self.url}/ozon{path}", json=body, headers=headers, timeout=10, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


@dataclass(frozen=True)
class StartedSandbox(SandboxClient):
    """One that the test has started, and can end."""

    program: Program

    @classmethod
    def start(cls, programs: Programs, faults: str = "0", **options: object) -> Self:
        """With these options, such as `wb_orders=20_000`. It answers when this returns."""
        port, given = free_port(), [f"--option={name}={value}" for name, value in options.items()]
        command = ("-m", "service.sandbox", "--port", str(port), "--faults", faults, *given)
        program = programs.start(*command, port=port)
        program.wait_for("/")
        return cls(program.url, program)

    def variables(self, **others: str) -> dict[str, str]:
        """For a service that takes it for Wildberries."""
        return {
            "SANDBOX": "false",
            "WB_API_TOKEN": credentials.wb_token(),
            "WB_FEEDBACKS_URL": f"{self.url}/wb-feedbacks",
            "WB_STATISTICS_URL": f"{self.url}/wb-statistics",
            **others,
        }
