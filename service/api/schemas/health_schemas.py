"""Schemas of /health and /healthz."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from telemetry.health import Overall


class UpOut(BaseModel):
    """The process answers."""

    status: Literal["ok"] = Field(description="Always `ok`.")


class HealthOut(BaseModel):
    """The checks of this instance."""

    status: Overall = Field(
        description="`healthy`: every check is ok. `degraded`: one warns. `unhealthy`: one failed.",
        examples=["healthy"],
    )
    healthy: bool = Field(description="Whether no check failed.", examples=[True])
    checks: dict[str, Any] = Field(
        description="Each check by its name: its `status` (`ok`, `warning` or `error`), and its figures or its `error`. "
        "`timestamp` says when they ran.",
        examples=[
            {
                "database": {"status": "ok", "latency_ms": 0.4},
                "disk": {"status": "ok", "free_gb": 41.5, "used_percent": 38.0, "inodes_used_percent": 4.0},
                "memory": {"status": "ok", "available_mb": 5120.0, "used_percent": 34.0},
                "uptime": {"status": "ok", "uptime_seconds": 86400.0, "uptime_human": "1d"},
                "timestamp": "2025-10-02T12:00:00+00:00",
            }
        ],
    )
