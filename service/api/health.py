"""Health probes: /health, /healthz, /livez and /readyz.

All run on the event loop: they answer although every worker thread hangs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from service.api.schemas.health_schemas import HealthOut, UpOut
from service.api.schemas.problem_schemas import Responses, problem_responses
from service.database.clock import utcnow
from service.errors import Problem
from telemetry.error_text import CheckFailed
from telemetry.health import Check, CheckResult, HealthChecks, Lifecycle, Report, SystemResources, checks
from telemetry.settings import TelemetrySettings

LIFECYCLE: Final = "lifecycle"
_NO_STORE: Final = {"cache-control": "no-store"}
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class UnknownCheck(Problem):
    """404: there is no check of that name."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no check {name[:100]!r}. There are: {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """The checks behind the probes. `health` and `readiness` are names of checks, in the order of the report."""

    lifecycle: Lifecycle
    checks: HealthChecks
    health: tuple[str, ...]
    readiness: tuple[str, ...]
    now: Callable[[], datetime] = utcnow

    @classmethod
    def create(
        cls,
        lifecycle: Lifecycle,
        resources: SystemResources,
        settings: TelemetrySettings,
        readiness: Mapping[str, Check],
    ) -> Self:
        """Build the checks.

        Args:
            lifecycle: knows whether the service starts or stops.
            resources: disks and memory.
            settings: the thresholds for disks and memory.
            readiness: the checks that this service needs to be ready, `database` (a ping) among them.
        """
        health: dict[str, Check] = {
            "database": checks.timed(readiness["database"]),
            "disk": checks.disk(resources, settings.alert_threshold_disk),
            "memory": checks.memory(resources, settings.alert_threshold_memory),
            "uptime": checks.uptime(),
        }
        logged = HealthChecks({**readiness, **health}, is_starting=lambda: lifecycle.phase == "starting")
        return cls(lifecycle, logged, tuple(health), tuple(readiness))

    @property
    def ready_names(self) -> tuple[str, ...]:
        return (LIFECYCLE, *self.readiness)

    async def check_health(self) -> Report:
        return await self.checks.run(self.health)

    async def check_readiness(self, names: Iterable[str] | None = None) -> Report:
        """Run readiness checks: the named ones, or all.

        The lifecycle is checked last, and its result is never shared: a SIGTERM that came in the meantime counts.
        """
        selected = self.ready_names if names is None else tuple(names)
        report = await self.checks.run(name for name in selected if name != LIFECYCLE)
        return Report({name: report.results.get(name) or self._check_lifecycle() for name in selected})

    def _check_lifecycle(self) -> CheckResult:
        try:
            self.lifecycle.check()
        except CheckFailed as error:
            return CheckResult.failed(str(error))
        return CheckResult()


async def get_health(request: Request) -> ServiceHealth:
    """A coroutine: FastAPI runs a plain function in a worker thread, and a request would have to wait for one."""
    return cast("ServiceHealth", request.app.state.health)


HealthDep = Annotated[ServiceHealth, Depends(get_health)]
Verbose = Annotated[
    str | None, Query(description="If it is there, with any value: one line for each check.", examples=["1"])
]
_UP: Final[Responses] = {200: {"model": UpOut}}
_HEALTH: Final[Responses] = {
    200: {"model": HealthOut},
    503: {"model": HealthOut, "description": "A check failed: `status` is `unhealthy`."},
}


def _plain(example: str, meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {"text/plain": {"schema": {"type": "string"}, "example": example}}}


_LIVE: Final[Responses] = {200: _plain("ok", "The process answers.")}
_READY: Final[Responses] = {
    200: _plain("ok", "Every check passed."),
    503: _plain(
        "[-]database failed: Connection refused\nreadyz check failed\n", "A check failed. One line for each check."
    ),
}
_NO_CHECK: Final = problem_responses(
    {404: ("No check has this name. `detail` lists the names.", "There is no check 'disks'. There are: lifecycle, …")}
)
CheckName = Annotated[str, Path(description="The name of the check.", examples=["database"])]
router = APIRouter(tags=["health"])


def _probe(path: str, **documented: Any) -> Callable[[Endpoint], Endpoint]:
    """Register a route for GET, and for HEAD, which load balancers use. Only GET is in /docs: both have one operation id."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.head(path, include_in_schema=False)(endpoint)
        return router.get(path, **documented)(endpoint)

    return register


@_probe("/health", responses=_UP)
async def read_health() -> JSONResponse:
    """Check that the process answers.

    It checks nothing else.
    """
    return JSONResponse({"status": "ok"}, headers=_NO_STORE)


@_probe("/healthz", responses=_HEALTH)
async def read_healthz(health: HealthDep) -> JSONResponse:
    """Check the database, the disks and the memory.

    The figures of this instance as JSON. A warning, such as a disk that is nearly full, does not fail it.
    """
    report = await health.check_health()
    return JSONResponse(report.body(health.now()), _status(report), _NO_STORE)


@_probe("/livez", response_class=PlainTextResponse, responses=_LIVE)
async def read_livez(verbose: Verbose = None) -> PlainTextResponse:
    """Check that the process is alive.

    For Kubernetes' liveness probe. It checks nothing outside the process, since a restart would not help there.
    """
    return _text("livez", Report({"ping": CheckResult()}), verbose)


@_probe("/readyz", response_class=PlainTextResponse, responses=_READY)
async def read_readyz(health: HealthDep, verbose: Verbose = None) -> PlainTextResponse:
    """Check that this instance can take requests.

    For Kubernetes' readiness probe. It fails while the service starts or stops, and without its database.
    """
    return _text("readyz", await health.check_readiness(), verbose)


@_probe("/readyz/{check}", response_class=PlainTextResponse, responses=_READY | _NO_CHECK)
async def read_readyz_check(check: CheckName, health: HealthDep, verbose: Verbose = None) -> PlainTextResponse:
    """Run one of the checks of /readyz.

    `/readyz?verbose` lists the names of the checks.
    """
    if check not in health.ready_names:
        raise UnknownCheck(check, health.ready_names)
    return _text("readyz", await health.check_readiness([check]), verbose)


def _text(probe: Literal["livez", "readyz"], report: Report, verbose: str | None) -> PlainTextResponse:
    """Kubernetes' format: `ok`, or one line for each check if `verbose` is given or a check fails."""
    if report.is_healthy and verbose is None:
        return PlainTextResponse("ok", headers=_NO_STORE)
    verdict = f"{probe} check {'passed' if report.is_healthy else 'failed'}"
    return PlainTextResponse("\n".join((*report.lines(), verdict, "")), _status(report), _NO_STORE)


def _status(report: Report) -> HTTPStatus:
    return HTTPStatus.OK if report.is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
