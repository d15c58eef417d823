"""A running service with a sandbox of its own, and a client with the operator's token."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import Program, Programs, free_port
from tests.support.sandboxes import SandboxClient

SYNCS: Final = {"sync_wb_reviews", "sync_wb_orders", "sync_ozon_reviews", "sync_ozon_orders"}
_JOBS: Final = {*SYNCS, "generate_advice"}
OPS_TOKEN: Final = "the-operators-own"


@dataclass(frozen=True)
class SandboxedService:
    """The service, and the sandbox that it calls."""

    service: Program
    sandbox: SandboxClient

    @classmethod
    def start(cls, programs: Programs, *arguments: str, **environment: str) -> Self:
        port = free_port()
        variables = {"SANDBOX": "true", "SANDBOX_PORT": str(port), "OPS_TOKEN": OPS_TOKEN, **environment}
        return cls(programs.serve(*arguments, **variables), SandboxClient.at(port))

    @classmethod
    def at(cls, service: Program, sandbox_port: int) -> Self:
        """A service that runs already, with `OPS_TOKEN` as its token."""
        return cls(service, SandboxClient.at(sandbox_port))

    def get(self, path: str) -> httpx.Response:
        return self.service.get(path, Authorization=f"Bearer {OPS_TOKEN}")

    def get_json(self, path: str) -> Any:
        """At its start the service answers with 503: an assertion, which `eventually` tries again."""
        response = self.get(path)
        assert response.status_code == httpx.codes.OK, response.text
        return response.json()

    def first_results(self) -> dict[str, dict[str, Any]]:
        """The metadata of the runs of each job that had work; empty until every job had some."""
        runs = self.get_json("/jobs/status?status=success&limit=1000")["runs"]
        results = {run["job_name"]: run["metadata"] for run in runs if run["metadata"].keys() & {"new", "cost_usd"}}
        return results if results.keys() >= _JOBS else {}

    def metrics(self) -> Counter[tuple[str, str]]:
        """The sums of the series by name and service or marketplace."""
        sums: Counter[tuple[str, str]] = Counter()
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                label = sample.labels.get("service") or sample.labels.get("marketplace") or ""
                sums[sample.name, label] += sample.value
        return sums

    def unanswered(self, marketplace: str) -> list[dict[str, Any]]:
        """The reviews without an answer."""
        reviews = self.get_json(f"/api/v1/reviews?answered=false&marketplace={marketplace}")["reviews"]
        return [review for review in reviews if review["gone_at"] is None]

    def answer(self, review: dict[str, Any], text: str | None = None, token: str | None = OPS_TOKEN) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url, body = f"{self.service.url}/api/v1/reviews/{review['id']}/answer", {"text": text} if text else {}
        return httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False)

    def processes(self) -> dict[int, psutil.Process]:
        """All child processes of the service by pid; none may be a zombie."""
        found = psutil.Process(self.service.process.pid).children(recursive=True)
        try:
            assert not [child for child in found if child.status() == psutil.STATUS_ZOMBIE]
        except psutil.NoSuchProcess as gone:
            raise AssertionError(str(gone)) from gone
        return {child.pid: child for child in found}

    def sandbox_process(self) -> psutil.Process:
        """The only sandbox. If two workers start one at once, the second ends by itself after a moment."""
        found = [child for child in self.processes().values() if "service.sandbox" in child.cmdline()]
        assert len(found) == 1, found
        return found[0]
