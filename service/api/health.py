"""Probes: /health, /healthz, /livez and /readyz. All on the event loop: they answer when every worker thread hangs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from service.api.problems import PROBLEM_RESPONSE
from service.errors import Problem
from telemetry.error_text import CheckFailed
from telemetry.health import Check, CheckResult, HealthChecks, Lifecycle, Overall, Report, SystemResources, checks
from telemetry.settings import TelemetrySettings

LIFECYCLE: Final = "lifecycle"
_NO_STORE: Final = {"cache-control": "no-store"}
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def _utcnow() -> datetime:
    return datetime.now(UTC)


class UnknownCheck(Problem):
    status = HTTPStatus.NOT_FOUND

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no check {name[:100]!r}. There are: {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """What the probes ask: `health` and `readiness` are names of checks, in the order in which they are told."""

    lifecycle: Lifecycle
    checks: HealthChecks
    health: tuple[str, ...]
    readiness: tuple[str, ...]
    now: Callable[[], datetime] = _utcnow

    @classmethod
    def create(
        cls,
        lifecycle: Lifecycle,
        resources: SystemResources,
        settings: TelemetrySettings,
        readiness: Mapping[str, Check],
    ) -> Self:
        """`readiness` holds what this service needs to be ready, `database` (a ping) among it."""
        health: dict[str, Check] = {
            "database": checks.timed(readiness["database"]),
            "disk": checks.disk(resources, settings.alert_threshold_disk),
            "memory": checks.memory(resources, settings.alert_threshold_memory),
            "uptime": checks.uptime(),
        }
        return cls(lifecycle, HealthChecks({**readiness, **health}), tuple(health), tuple(readiness))

    @property
    def ready_names(self) -> tuple[str, ...]:
        return (LIFECYCLE, *self.readiness)

    async def examine_health(self) -> Report:
        return await self.checks.examine(self.health)

    async def examine_readiness(self, names: Iterable[str] | None = None) -> Report:
        """The lifecycle is looked at last, and never shared: a SIGTERM that came in the meantime counts."""
        wanted = self.ready_names if names is None else tuple(names)
        found = await self.checks.examine(name for name in wanted if name != LIFECYCLE)
        return Report({name: found.results.get(name) or self._examine_lifecycle() for name in wanted})

    def _examine_lifecycle(self) -> CheckResult:
        try:
            self.lifecycle.check()
        except CheckFailed as error:
            return CheckResult.failed(str(error))
        return CheckResult()


class HealthOut(BaseModel):
    """Each check has a `status` (ok, warning or error) and its figures, or its `error`; `timestamp` is beside them."""

    status: Overall
    healthy: bool
    checks: dict[str, Any]


async def _health_of(request: Request) -> ServiceHealth:
    """A coroutine: a plain function would be run in a worker thread, and wait for one."""
    return cast("ServiceHealth", request.app.state.health)


HealthDep = Annotated[ServiceHealth, Depends(_health_of)]
Verbose = Annotated[str | None, Query(description="When it is there, with any value: one line for each check.")]
router = APIRouter(tags=["operations"])


def _probe(path: str, **documented: Any) -> Callable[[Endpoint], Endpoint]:
    """GET, and HEAD for load balancers. Only GET is documented: in /docs they would share an operation id."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.head(path, include_in_schema=False)(endpoint)
        return router.get(path, **documented)(endpoint)

    return register


@_probe("/health")
async def read_health() -> JSONResponse:
    """The process answers; nothing is checked."""
    return JSONResponse({"status": "ok"}, headers=_NO_STORE)


@_probe("/healthz", responses={200: {"model": HealthOut}, 503: {"model": HealthOut}})
async def read_healthz(health: HealthDep) -> JSONResponse:
    """The database, disks and memory of this instance; 503 when one of the checks fails."""
    report = await health.examine_health()
    return JSONResponse(report.body(health.now()), _status(report), _NO_STORE)


@_probe("/livez", response_class=PlainTextResponse)
async def read_livez(verbose: Verbose = None) -> PlainTextResponse:
    """The process answers. It depends on nothing outside: a restart would not mend what is outside."""
    return _text("livez", Report({"ping": CheckResult()}), verbose)


@_probe("/readyz", response_class=PlainTextResponse, responses={503: {"content": {"text/plain": {}}}})
async def read_readyz(health: HealthDep, verbose: Verbose = None) -> PlainTextResponse:
    """Whether this instance is to be given work: not while it starts or stops, nor without its database."""
    return _text("readyz", await health.examine_readiness(), verbose)


@_probe(
    "/readyz/{check}",
    response_class=PlainTextResponse,
    responses={404: PROBLEM_RESPONSE, 503: {"content": {"text/plain": {}}}},
)
async def read_readyz_check(check: str, health: HealthDep, verbose: Verbose = None) -> PlainTextResponse:
    """One of the checks of /readyz."""
    if check not in health.ready_names:
        raise UnknownCheck(check, health.ready_names)
    return _text("readyz", await health.examine_readiness([check]), verbose)


def _text(probe: Literal["livez", "readyz"], report: Report, verbose: str | None) -> PlainTextResponse:
    """In Kubernetes' form: `ok`, or, when it is asked for or something fails, one line for each check."""
    if report.healthy and verbose is None:
        return PlainTextResponse("ok", headers=_NO_STORE)
    verdict = f"{probe} check {'passed' if report.healthy else 'failed'}"
    return PlainTextResponse("\n".join((*report.lines(), verdict, "")), _status(report), _NO_STORE)


def _status(report: Report) -> HTTPStatus:
    return HTTPStatus.OK if report.healthy else HTTPStatus.SERVICE_UNAVAILABLE
