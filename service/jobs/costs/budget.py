"""The forecast of the month, and the alert when it passes `COST_BUDGET_MONTH_USD`: once a day, whichever process is first."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.engine import Engine

from service.database.freshness_tables import SentAlertRow
from service.database.upsert import insert_into
from service.jobs.costs.cost_report import CostReport, cost_report
from service.names import SERVICE_COMPONENT, AlertSection
from telemetry import semconv
from telemetry.alerts import AlertLevel
from telemetry.costs import Prices
from telemetry.database import transaction

DEAREST: Final = 3
MIN_DATA: Final = timedelta(days=1)
"""No forecast is made from less."""
PREFIX: Final = "costs.budget:"
_DAY: Final = timedelta(days=1)
_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # `LOG_LEVEL` does not apply to alerts


@dataclass(frozen=True, slots=True)
class MonthCosts:
    """The month so far. Money is None where no price is known; the forecast also with less than a day of data."""

    spent_usd: float | None
    forecast_usd: float | None
    budget_usd: float | None

    @property
    def is_over(self) -> bool:
        return None not in {self.forecast_usd, self.budget_usd} and (self.forecast_usd or 0) > (self.budget_usd or 0)


class Budget:
    """Reads the costs of this month and the last one. `usd` is None where no budget is set."""

    def __init__(self, engine: Engine, prices: Prices, usd: float | None) -> None:
        self._engine = engine
        self._prices = prices
        self._usd = usd

    def month(self, now: datetime) -> MonthCosts:
        """Raises SQLAlchemyError if the database is unavailable."""
        return self._month(self._report(_first(now.date()), now.date()), now)

    def check(self, now: datetime) -> None:
        """Alert if the forecast of the month is over the budget, once on each UTC day.

        Raises:
            SQLAlchemyError: the database is unavailable.
        """
        if self._usd is None:
            return
        this = self._report(_first(now.date()), now.date())
        month = self._month(this, now)
        if month.is_over:
            self._alert_once(month, this, now)

    def _report(self, since: date, until: date) -> CostReport:
        return cost_report(self._engine, self._prices, since, until)

    def _month(self, report: CostReport, now: datetime) -> MonthCosts:
        spent, measured = report.usd, _measured(report, now)
        forecast = None
        if spent is not None and measured >= MIN_DATA:
            left = _midnight(_next(now.date())) - now
            forecast = spent + spent / measured.total_seconds() * left.total_seconds()
        return MonthCosts(spent, forecast, self._usd)

    def _alert_once(self, month: MonthCosts, this: CostReport, now: datetime) -> None:
        """Alerts before the commit: a crash in between repeats an alert, and loses none."""
        key, row = f"{PREFIX}{now.date()}", SentAlertRow
        with transaction(self._engine) as session:
            session.execute(delete(row).where(row.key.startswith(PREFIX), row.key != key))
            insert = insert_into(session, row).values(key=key, sent_at=now)
            if session.scalar(insert.on_conflict_do_nothing().returning(row.key)) is None:
                return
            last_day = _first(now.date()) - _DAY
            last = self._report(_first(last_day), last_day)
            log_over_budget(month, _dearest(_by_name(this), _measured(this, now), _by_name(last), last))


def log_over_budget(month: MonthCosts, dearest: str) -> None:
    """One alert for each day: `dearest` names what costs most."""
    attributes = {
        semconv.COMPONENT: SERVICE_COMPONENT,
        semconv.ALERT_LEVEL: str(AlertLevel.WARNING),
        semconv.ALERT_SECTION: AlertSection.COST_BUDGET,
    }
    _log.warning(
        "The month will cost %.2f USD: the budget is %.2f USD.\nSpent so far: %.2f USD. The dearest: %s.",
        month.forecast_usd,
        month.budget_usd,
        month.spent_usd,
        dearest,
        extra=attributes,
    )


def _dearest(this: Mapping[str, float], measured: timedelta, last: Mapping[str, float], report: CostReport) -> str:
    """The dearest names with their cost by day, and what that was in the last month."""
    days = measured / _DAY
    number_before = len(report.days)
    lines = []
    for name, usd in sorted(this.items(), key=lambda item: -item[1])[:DEAREST]:
        before = f"{last.get(name, 0.0) / number_before:.2f}" if number_before else "unknown"
        lines.append(f"{name} {usd:.2f} USD ({usd / days:.2f} a day, last month {before})")
    return "; ".join(lines)


def _by_name(report: CostReport) -> dict[str, float]:
    """The cost of each name, all resources together."""
    found: dict[str, float] = defaultdict(float)
    for row in report.rows:
        if row.usd:
            found[row.name] += row.usd
    return found


def _measured(report: CostReport, now: datetime) -> timedelta:
    """The time of the month that has data: from the start of the first day with any."""
    return now - _midnight(report.days[0].day) if report.days else timedelta(0)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _first(day: date) -> date:
    return day.replace(day=1)


def _next(day: date) -> date:
    """The first day of the next month."""
    return _first(_first(day) + timedelta(days=32))
