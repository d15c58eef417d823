"""The health report: the results of all checks, without confidential details."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

Status = Literal["ok", "warning", "error"]
Overall = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; `details` are shown to clients, `error` is a short safe text."""

    status: Status = "ok"
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def failed(cls, error: str) -> Self:
        return cls("error", {"error": error}, error)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all checks by name."""

    results: Mapping[str, CheckResult]

    @property
    def status(self) -> Overall:
        statuses = {result.status for result in self.results.values()}
        if "error" in statuses:
            return "unhealthy"
        return "degraded" if "warning" in statuses else "healthy"

    @property
    def is_healthy(self) -> bool:
        """Whether no check failed. A warning does not take an instance out of rotation: that would free no disk."""
        return self.status != "unhealthy"

    def body(self, timestamp: datetime) -> dict[str, Any]:
        """The JSON body of `/healthz`."""
        checks: dict[str, Any] = {
            name: {"status": result.status, **result.details} for name, result in self.results.items()
        }
        return {
            "status": self.status,
            "healthy": self.is_healthy,
            "checks": checks | {"timestamp": timestamp.isoformat(timespec="seconds")},
        }

    def lines(self) -> Iterator[str]:
        """One line per check, in the format of Kubernetes components."""
        for name, result in self.results.items():
            if result.status == "warning" and result.error:
                yield f"[+]{name} warning: {result.error}"
            else:
                yield f"[-]{name} failed: {result.error}" if result.status == "error" else f"[+]{name} ok"
