"""Costs in the database: several processes add to the same rows, a report reads them, a budget alerts."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from service.database.cost_tables import CostWriteRow
from service.jobs.costs.budget import Budget
from service.jobs.costs.cost_report import cost_report, prune_costs
from service.jobs.costs.cost_writer import CostWriter
from service.jobs.costs.stores import stores
from service.settings import Settings
from telemetry.costs import Prices
from telemetry.database import create_engine, transaction
from tests.support.processes import eventually

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
PRICES = Prices(cpu_hour=3600.0)
SYNC, IDLE = ("cpu", "job", "sync"), ("cpu", "service", "idle")


class Ledger:
    """The totals of one process."""

    def __init__(self, **_):
        self.amounts = {}
        self.storage = {}

    def usage(self):
        return dict(self.amounts)

    def add_storage(self, name, byte_seconds):
        self.storage[name] = self.storage.get(name, 0) + byte_seconds


class Process:
    def __init__(self, engine, prices=PRICES, sizes=None):
        self.ledger, self.now = Ledger(), NOON
        measures = {name: (lambda size=size: size) for name, size in (sizes or {}).items()}
        self.writer = CostWriter(engine, self.ledger, prices, measures, lambda: self.now)

    def uses(self, key, amount):
        self.ledger.amounts[key] = self.ledger.amounts.get(key, 0) + amount


def amounts(engine, since=TODAY, until=TODAY, prices=PRICES):
    return {
        (row.resource, row.kind, row.name): (row.amount, row.usd)
        for row in cost_report(engine, prices, since, until).rows
    }


def test_all_processes_add_to_the_same_rows_also_after_a_restart(engine):
    first, second = Process(engine), Process(engine)
    for _ in range(2):
        first.uses(SYNC, 1.5)
        second.uses(SYNC, 2.0)
        second.uses(IDLE, 1.0)
        for process in (first, second):
            process.writer.write()
            process.writer.write()
    restarted = Process(engine)
    restarted.uses(SYNC, 0.5)
    restarted.writer.write()

    assert amounts(engine) == {SYNC: (7.5, 7.5), IDLE: (2.0, 2.0)}


def test_what_could_not_be_written_is_written_the_next_time(engine, tmp_path):
    process = Process(engine)
    process.uses(SYNC, 1.0)
    process.writer._engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}", "tests")
    with pytest.raises(SQLAlchemyError):
        process.writer.write()
    process.writer._engine.dispose()
    process.writer._engine = engine
    process.uses(SYNC, 2.0)

    process.writer.write()

    assert amounts(engine)[SYNC] == (3.0, 3.0)


@pytest.mark.parametrize("results", [(True,), (False,), (True, True), (True, False), (False, True), (False, False)])
def test_what_a_commit_of_unknown_result_wrote_is_counted_once(engine, monkeypatch, results):
    process, dialect = Process(engine), engine.dialect
    process.uses(SYNC, 1.0)
    process.writer.write()
    for is_committed in results:
        finish = dialect.do_commit if is_committed else dialect.do_rollback

        def lose(connection, finish=finish):
            finish(connection)
            raise OperationalError("COMMIT", {}, ConnectionError("lost"))

        process.uses(SYNC, 2.0)
        with monkeypatch.context() as connection_lost:
            connection_lost.setattr(dialect, "do_commit", lose)
            with pytest.raises(SQLAlchemyError):
                process.writer.write()
    process.uses(SYNC, 4.0)

    process.writer.write()
    process.writer.write()

    assert amounts(engine)[SYNC][0] == 5.0 + 2.0 * len(results)


def test_a_commit_that_the_server_has_not_finished_is_waited_for(postgres_engine):
    process = Process(postgres_engine)
    process.uses(SYNC, 1.0)
    writer = process.writer
    with ThreadPoolExecutor(1) as pool:
        with transaction(postgres_engine) as unfinished:
            writer._unconfirmed = process.ledger.usage()
            writer._number.advance(unfinished, NOON)
            writer._add(unfinished, NOON, writer._unconfirmed)
            unfinished.flush()
            process.uses(SYNC, 2.0)
            writing = pool.submit(writer.write)
            eventually(lambda: waiting_for_locks(postgres_engine))
        writing.result(30)

    assert amounts(postgres_engine)[SYNC][0] == 3.0


def waiting_for_locks(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def test_without_a_price_there_is_an_amount_and_no_money_and_the_row_says_which_price(engine):
    process = Process(engine, Prices())
    process.uses(SYNC, 1.0)
    process.writer.write()

    report = cost_report(engine, Prices(), TODAY, TODAY)

    assert report.usd is None
    [row] = report.rows
    assert (row.amount, row.usd, row.note) == (1.0, None, "COST_CPU_HOUR_USD is not set.")


def test_a_day_costs_what_the_price_was_and_one_without_is_named(engine):
    process = Process(engine, Prices())
    process.uses(SYNC, 5.0)
    process.writer.write()
    later = Process(engine)
    later.now = NOON + timedelta(days=1)
    later.uses(SYNC, 2.0)
    later.writer.write()

    [row] = cost_report(engine, PRICES, TODAY, TODAY + timedelta(days=1)).rows

    assert (row.amount, row.usd, row.note) == (7.0, 2.0, "There was no price on some of the days.")


def test_a_price_of_what_is_not_measured_says_so(engine):
    [row] = cost_report(engine, Prices(storage_gb_month=0.1), TODAY, TODAY).rows

    assert (row.amount, row.usd) == (None, None)
    assert row.note == "COST_STORAGE_GB_MONTH_USD is set, but the storage is not measured yet."


def test_the_room_of_a_store_is_counted_once_however_many_processes_there_are(engine):
    processes = [Process(engine, Prices(storage_gb_month=30 * 24 * 3600), {"database": 10**9}) for _ in range(3)]
    for seconds in (0, 10, 60, 61, 130):
        for process in processes:
            process.now = NOON + timedelta(seconds=seconds)
            process.writer.write()

    found = amounts(engine, prices=Prices(storage_gb_month=1.0))["storage", "service", "database"]

    assert found == pytest.approx((130e9, 130.0))
    assert sum(process.ledger.storage.get("database", 0) for process in processes) == pytest.approx(130e9)


def test_a_clock_that_was_set_back_counts_nothing_twice_and_goes_on(engine):
    process = Process(engine, sizes={"logs": 100})
    for minutes in (0, 60, 30, 31, 32):
        process.now = NOON + timedelta(minutes=minutes)
        process.writer.write()

    assert process.ledger.storage["logs"] == pytest.approx(100 * 60 * 62)


def test_the_stores_are_the_database_the_spools_the_logs_and_the_backups(tmp_path, engine):
    for name, size in {"spool/a": 10, "outbox.db": 5, "log/x.log": 3, "backups/b": 7}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"x" * size)
    settings = Settings(data_dir=tmp_path, log_dir=tmp_path / "log")
    found = {name: measure() for name, measure in stores(settings, engine).items()}

    assert found.pop("database") > 1000
    assert found == {"spools": 15, "logs": 3, "backups": 7}


def test_a_budget_alerts_once_a_day_with_the_dearest_names_and_the_last_month(engine, caplog):
    process = Process(engine)
    for day, seconds in ((-20, 10.0), (-9, 30.0), (0, 60.0)):
        process.now = NOON + timedelta(days=day)
        process.uses(SYNC, seconds)
        process.writer.write()
    budgets = [Budget(engine, PRICES, 200.0) for _ in range(2)]

    for hours, alerts in ((0, 1), (1, 1), (11, 1), (13, 2)):
        for budget in budgets:
            budget.check(NOON + timedelta(hours=hours))
        assert len(caplog.messages) == alerts

    assert caplog.messages[0] == (
        "The month will cost 293.68 USD: the budget is 200.00 USD.\n"
        "Spent so far: 90.00 USD. The dearest: sync 90.00 USD (9.47 a day, last month 10.00)."
    )


@pytest.mark.parametrize("budget", [None, 400.0])
def test_within_the_budget_or_without_one_nothing_is_sent(engine, caplog, budget):
    process = Process(engine)
    process.now = NOON - timedelta(days=9)
    process.uses(SYNC, 90.0)
    process.writer.write()

    Budget(engine, PRICES, budget).check(NOON)

    assert caplog.messages == []


def test_a_forecast_needs_a_day_of_data(engine):
    process = Process(engine)
    process.uses(SYNC, 1000.0)
    process.writer.write()

    month = Budget(engine, PRICES, 1.0).month(NOON)

    assert (month.spent_usd, month.forecast_usd, month.is_over) == (1000.0, None, False)


def test_costs_of_two_years_ago_are_deleted(engine):
    process = Process(engine)
    for days in (800, 0):
        process.now = NOON - timedelta(days=days)
        process.uses(SYNC, 1.0)
        process.writer.write()

    assert prune_costs(engine, NOON) == 1
    assert len(cost_report(engine, PRICES, TODAY - timedelta(days=900), TODAY).days) == 1


def test_the_numbers_of_writes_of_processes_that_are_gone_are_deleted(engine):
    for days in (40, 0):
        process = Process(engine)
        process.now = NOON - timedelta(days=days)
        process.writer.write()

    prune_costs(engine, NOON)

    with transaction(engine) as session:
        assert session.scalars(select(CostWriteRow.written_at)).all() == [NOON]
