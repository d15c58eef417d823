"""Scenes of the conditions that become alerts: their rules run, first while each is present, then after its end."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from service.jobs.schedule import JOBS
from service.names import WB
from service.scheduler.monitoring.evaluation import Ticks
from service.scheduler.monitoring.notices import MissedNotice
from service.scheduler.monitoring.overdue import overdue
from service.sync.freshness import findings
from service.sync.freshness.snapshot import DraftingState, FreshnessSnapshot, LastRun, SourceReading
from service.sync.freshness.streams import STREAMS, MonitoredSource
from telemetry.alerts import ConditionPeriod, condition
from telemetry.alerts.rules import resource_usage
from telemetry.alerts.rules.condition import ConditionTracker
from telemetry.alerts.rules.database_down import DatabaseDownRule
from telemetry.alerts.rules.job_failures import JobAlertDelivery, JobFailuresRule
from telemetry.health.database_writes import NotWritable
from telemetry.health.filesystem import Filesystem
from telemetry.health.system_resources import SystemResources
from telemetry.health.usage import Usage
from telemetry.jobs.statistics.failure_streaks import Failure, FailureStreak
from tools.reference.alert_stage import BEGAN, AlertStage, Scene

_JOB: Final = next(job for job in JOBS if job.name == "sync_wb_orders")
_SOURCE: Final = MonitoredSource("wb.orders", STREAMS[1], timedelta(minutes=30))
_FRAMES: Final = (
    "integrations/wildberries/orders.py:118 in WildberriesOrders.pages",
    "service/orders/sync.py:41 in sync_orders",
    "service/jobs/sync.py:52 in sync_wb_orders",
)
_MINUTE: Final = timedelta(minutes=1)
_ENDED: Final = BEGAN + 70 * _MINUTE


class _Alone:
    """The claims of a machine beside which there is none."""

    def read(self) -> Mapping[str, object]:
        return {}

    def claim(self, _job_name: str, _last_success: object) -> bool:
        return True

    def renew(self, _job_name: str, _last_success: object) -> None: ...

    mark_told = renew


def _job_rule(stage: AlertStage, streak: FailureStreak) -> None:
    delivery = JobAlertDelivery(_Alone(), lambda: True, stage.clock)  # type: ignore[arg-type]  # no claims
    JobFailuresRule(lambda: [streak], stage.incidents, 3, delivery, "scheduler").evaluate()


def _succeed(stage: AlertStage) -> None:
    stage.now = _ENDED.timestamp()
    _job_rule(stage, FailureStreak(_JOB.name, [], _ENDED, _ENDED))


def _job_failed(stage: AlertStage) -> None:
    failures = [
        Failure(BEGAN + 15 * number * _MINUTE, "host:1", "error", "Timeout connecting to WB API", "", "")
        for number in range(5)
    ]
    _job_rule(stage, FailureStreak(_JOB.name, failures, BEGAN - 15 * _MINUTE, failures[-1].ended_at))
    _succeed(stage)


def _missed(stage: AlertStage) -> None:
    MissedNotice(missed=[(_JOB, Ticks(BEGAN, BEGAN + 30 * _MINUTE, 2))]).alert(BEGAN)
    _succeed(stage)


def _overdue(stage: AlertStage) -> None:
    condition.fire(overdue(_JOB.name, 31 * _MINUTE, 30 * _MINUTE, _FRAMES))
    _succeed(stage)


def _database(error: Exception) -> Scene:
    def scene(stage: AlertStage) -> None:
        problem: list[Exception] = [error]

        def check() -> None:
            if problem:
                raise problem[0]

        rule = DatabaseDownRule(check, ConditionTracker(stage.outbox, stage.clock))
        stage.repeat(rule.evaluate, 3, 5)
        problem.clear()
        stage.now += 180
        stage.repeat(rule.evaluate, 3, 5)

    return scene


def _resources(disk: int, inodes: int, memory: int) -> Scene:
    def scene(stage: AlertStage) -> None:
        conditions = ConditionTracker(stage.outbox, stage.clock)

        def evaluate(disk: int, inodes: int, memory: int) -> None:
            resources = SystemResources(
                [Path("var")],
                measure=lambda _path: Filesystem(1, Usage(disk, 100), Usage(inodes, 100)),
                read_memory=lambda: Usage(memory, 100),
                deadline=60,
            )
            resource_usage.evaluate(resources, resource_usage.Thresholds(90, 90), conditions)

        stage.repeat(lambda: evaluate(disk, inodes, memory), 3, 60)
        stage.now += 3600
        stage.repeat(lambda: evaluate(62, 62, 62), 3, 150)

    return scene


def _freshness(
    before: Callable[[], findings.ConditionReading], after: Callable[[], findings.ConditionReading]
) -> Scene:
    def scene(stage: AlertStage) -> None:
        condition.fire(before().condition)
        stage.now = _ENDED.timestamp()
        condition.resolve(after().condition, ConditionPeriod(BEGAN.timestamp(), stage.now, stage.now))

    return scene


def _stale(reading: SourceReading) -> findings.ConditionReading:
    snapshot = FreshnessSnapshot(BEGAN, {_SOURCE.name: reading}, {}, 0, DraftingState(), {}, {}, {}, frozenset())
    return findings.stale_source(_SOURCE, snapshot, findings.HoldTimer(lambda: 0.0))


def _drafting(state: DraftingState) -> findings.ConditionReading:
    return findings.drafting_stuck(state, BEGAN, 5 * _MINUTE, findings.HoldTimer(lambda: 0.0))


def _expiry(left: timedelta, index: int) -> findings.ConditionReading:
    return list(findings.expiring_credentials({WB: BEGAN + left}, BEGAN))[index]


_STALE, _FRESH = SourceReading({}, BEGAN, BEGAN - 120 * _MINUTE, "wb failed (502)."), SourceReading({}, BEGAN, BEGAN)
_YEAR: Final = timedelta(days=365)
CONDITIONS: Final[Mapping[str, Scene]] = {
    "A job failed": _job_failed,
    "A run was missed": _missed,
    "A run is overdue": _overdue,
    "The database does not answer": _database(ConnectionRefusedError(111, "Connection refused")),
    "The database cannot be written": _database(NotWritable("the database is read-only")),
    "A disk is nearly full": _resources(95, 10, 10),
    "A disk has nearly no inodes left": _resources(10, 95, 10),
    "Memory is nearly full": _resources(10, 10, 95),
    "A source is stale": _freshness(lambda: _stale(_STALE), lambda: _stale(_FRESH)),
    "Many rows are invalid": _freshness(
        lambda: findings.invalid_share("wb.orders", LastRun(120, 30)),
        lambda: findings.invalid_share("wb.orders", LastRun(120, 1)),
    ),
    "A credential expires soon": _freshness(lambda: _expiry(timedelta(days=10), 2), lambda: _expiry(_YEAR, 2)),
    "A credential has expired": _freshness(lambda: _expiry(-_MINUTE, 0), lambda: _expiry(_YEAR, 0)),
    "No draft is made": _freshness(
        lambda: _drafting(DraftingState(12, BEGAN - 60 * _MINUTE, 4)), lambda: _drafting(DraftingState(8, BEGAN, 0))
    ),
}
"""Each reports one condition, and its end."""
