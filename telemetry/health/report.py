"""Report: what the checks found, in words and figures that anybody may see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

Status = Literal["ok", "warning", "error"]
Overall = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    status: Status = "ok"
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def failed(cls, error: str) -> Self:
        return cls("error", {"error": error}, error)


@dataclass(frozen=True, slots=True)
class Report:
    results: Mapping[str, CheckResult]

    @property
    def status(self) -> Overall:
        statuses = {result.status for result in self.results.values()}
        if "error" in statuses:
            return "unhealthy"
        return "degraded" if "warning" in statuses else "healthy"

    @property
    def is_healthy(self) -> bool:
        """A warning is no reason to take an instance out of rotation: that frees no disk."""
        return self.status != "unhealthy"

    def body(self, timestamp: datetime) -> dict[str, Any]:
        """The JSON of `/healthz`."""
        checks: dict[str, Any] = {
            name: {"status": result.status, **result.details} for name, result in self.results.items()
        }
        return {
            "status": self.status,
            "healthy": self.is_healthy,
            "checks": checks | {"timestamp": timestamp.isoformat(timespec="seconds")},
        }

    def lines(self) -> Iterator[str]:
        """One a check, in the form that Kubernetes' own components have."""
        for name, result in self.results.items():
            if result.status == "warning" and result.error:
                yield f"[+]{name} warning: {result.error}"
            else:
                yield f"[-]{name} failed: {result.error}" if result.status == "error" else f"[+]{name} ok"
