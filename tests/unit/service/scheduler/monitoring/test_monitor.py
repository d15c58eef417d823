"""The run monitor with a manual clock: what is reported, when, exactly once, and what is no alert."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from service.database.clock import ClockMemory, JumpDetector
from service.database.schedule_tables import MissedRunRow, ScheduleWatchRow
from service.scheduler.cadence import Cron, DailyAt, Every
from service.scheduler.job import Job, Schedule
from service.scheduler.monitoring.evaluation import MAX_RUNS, MAX_TICKS
from service.scheduler.monitoring.monitor import CHECK_INTERVAL, GAP, RunMonitor, SchedulerAbsence
from service.scheduler.pauses import Pause, pause_job, resume_job
from service.settings import Settings
from telemetry.database import create_engine, transaction
from telemetry.jobs.run import JobRun
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow

pytestmark = pytest.mark.long_on_postgresql

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NOBODY = (
    "No scheduler has been running since {}. No job starts: reviews and orders are not read. "
    "To start one: python -m service scheduler"
)
SYNC = Job("sync", Every(15 * MINUTE), lambda _context: {})


def at(clock):
    return datetime.fromisoformat(f"2025-10-02T{clock}").replace(tzinfo=UTC)


class Process:
    """A process that runs the schedule while it is up, as the run monitor sees it.

    It checks every five seconds in the last minute, and as rarely as is no gap before: the result is the same.
    """

    def __init__(self, engine, now, *jobs, memory=None):
        self.engine, self.now = engine, now
        self.missed, self.overdue = [], []
        self.clock_set_by = timedelta(0)
        self.start(*jobs, memory=memory)

    def elapsed(self):
        return (self.now - NOON - self.clock_set_by).total_seconds()

    def sets_clock(self, by):
        """The clock is set, and no time passes."""
        self.now += by
        self.clock_set_by += by
        return self

    def start(self, *jobs, memory=None):
        def on_missed(name, ticks):
            self.missed.append((name, ticks))

        schedule = Schedule(Settings(), jobs)
        jumps = JumpDetector(self.elapsed, memory)
        self.monitor = RunMonitor(schedule, self.engine, on_missed, self.overdue.append, jumps)
        self.monitor.check(self.now)

    def is_up_until(self, moment, at_first=GAP):
        while self.now + CHECK_INTERVAL <= moment:
            self.now += at_first if self.now + MINUTE < moment else CHECK_INTERVAL
            self.monitor.check(self.now)
        return self

    def is_away_until(self, moment):
        self.now = moment
        return self


class RunRecords:
    """Records runs, on one day."""

    def __init__(self, engine):
        self._engine, self._store, self._number = engine, JobRunRepository(engine), 0

    def run(self, tick, began=None, ended=None, *, job="sync", deadline=None, outcome="success"):
        """A run that began at its tick unless `began` is given, and is active unless `ended` is given."""
        self._number += 1
        trace_id, span_id, started = f"{self._number:032x}", f"{self._number:016x}", began or tick
        run = JobRun(
            run_id=trace_id + span_id,
            job_name=job,
            status="running",
            started_at=started,
            trace_id=trace_id,
            span_id=span_id,
            worker="host:1",
            heartbeat_at=started,
            scheduled_for=tick,
            deadline_at=deadline,
        )
        self._store.replay([run])
        if ended:
            self.end(run, ended, outcome)
        return run

    def beats(self, run, now, left):
        """Its process renews its heartbeat, as it does every five seconds."""
        beat = update(JobRunRow).where(JobRunRow.run_id == run.run_id)
        with transaction(self._engine) as session:
            session.execute(beat.values(heartbeat_at=now, deadline_at=now + left))

    def end(self, run, ended, outcome="success"):
        status = "success" if outcome == "success" else "failed"
        self._store.replay([replace(run, status=status, outcome=outcome, finished_at=ended)])

    def runs(self, *clocks, job="sync"):
        for clock in clocks:
            self.run(at(clock), ended=at(clock) + SECOND, job=job)


@pytest.fixture
def records(engine):
    return RunRecords(engine)


def absences(caplog):
    return [message for message in caplog.messages if message.startswith("No scheduler has been running")]


def missed(engine):
    """The rows: job, kind, first and last tick, number."""
    with transaction(engine) as session:
        rows = list(session.scalars(select(MissedRunRow).order_by(MissedRunRow.id)))
    return [(row.job_name, row.kind, f"{row.first_tick:%H:%M}", f"{row.last_tick:%H:%M}", row.ticks) for row in rows]


def noticed_at(engine):
    with transaction(engine) as session:
        return list(session.scalars(select(MissedRunRow.noticed_at).order_by(MissedRunRow.id)))


def watermarks(engine):
    with transaction(engine) as session:
        return {row.job_name: row for row in session.scalars(select(ScheduleWatchRow))}


def test_a_tick_whose_run_began_is_no_alarm(engine, records, caplog):
    process = Process(engine, NOON, SYNC)
    records.runs("12:15:00", "12:30:00")

    process.is_up_until(at("12:40:00"))

    assert (missed(engine), process.missed, caplog.messages) == ([], [], [])


def test_a_tick_whose_run_does_not_begin_is_noticed_once_and_within_a_minute_after_its_grace(engine, caplog):
    process = Process(engine, NOON, SYNC)

    process.is_up_until(at("12:15:55"))
    assert missed(engine) == []
    process.is_up_until(at("12:29:00"))

    assert missed(engine) == [("sync", "missed", "12:15", "12:15", 1)]
    [moment] = noticed_at(engine)
    assert moment - at("12:16:00") <= MINUTE
    assert process.missed == [("sync", 1)]
    [record] = caplog.records
    assert record.getMessage() == "Job sync did not begin within 60 s of its scheduled time 2025-10-02 12:15:00 UTC."
    assert (record.levelno, record.component) == (logging.WARNING, "scheduler")


def test_a_run_that_begins_late_and_within_its_grace_is_no_alarm(engine, records):
    process = Process(engine, NOON, replace(SYNC, start_grace=5 * MINUTE))

    process.is_up_until(at("12:19:50"))
    records.run(at("12:15:00"), began=at("12:19:50"))
    process.is_up_until(at("12:25:00"))

    assert missed(engine) == []


def test_a_run_that_begins_after_its_grace_was_missed_and_is_so_once(engine, records):
    process = Process(engine, NOON, SYNC)

    process.is_up_until(at("12:17:00"))
    records.run(at("12:15:00"), began=at("12:17:00"), ended=at("12:18:00"))
    process.is_up_until(at("12:25:00"))

    assert missed(engine) == [("sync", "missed", "12:15", "12:15", 1)]


def test_a_tick_that_was_skipped_as_the_previous_run_was_active_is_not_missed(engine, records):
    process = Process(engine, NOON, SYNC)
    long = records.run(at("12:15:00"))

    process.is_up_until(at("12:50:00"))
    records.end(long, at("12:50:00"))
    process.is_up_until(at("13:02:00"))

    assert missed(engine) == [("sync", "missed", "13:00", "13:00", 1)]  # nothing went on any more


def test_a_job_that_overlaps_is_not_excused_by_an_active_run(engine, records):
    process = Process(engine, NOON, replace(SYNC, overlaps=True))
    records.run(at("12:15:00"))

    process.is_up_until(at("12:35:00"))

    assert missed(engine) == [("sync", "missed", "12:30", "12:30", 1)]


def test_a_manual_run_that_is_active_at_a_tick_covers_the_tick(engine, records):
    process = Process(engine, NOON, SYNC)
    records.run(None, began=at("12:10:00"), ended=at("12:15:30"))

    process.is_up_until(at("12:20:00"))

    assert missed(engine) == []


def test_a_run_that_was_lost_had_begun_also_when_it_succeeds_late(engine, records):
    process = Process(engine, NOON, SYNC)
    run = records.run(at("12:15:00"))
    process.is_up_until(at("12:15:30"))
    records.end(run, at("12:15:30"), "lost")
    process.is_up_until(at("12:29:00"))
    assert missed(engine) == []

    records.end(run, at("12:30:30"), "success")
    process.is_up_until(at("12:44:00"))

    assert missed(engine) == []


def test_a_lost_run_covers_no_tick_after_its_last_heartbeat(engine, records):
    process = Process(engine, NOON, SYNC)
    records.run(at("12:15:00"), ended=at("12:40:00"), outcome="lost")

    process.is_up_until(at("12:41:00"))

    assert missed(engine) == [("sync", "missed", "12:30", "12:30", 1)]


def test_two_jobs_are_evaluated_independently(engine, records):
    daily = Job("daily", DailyAt(12, 20), lambda _context: {})
    process = Process(engine, NOON, SYNC, daily)
    records.runs("12:15:00")

    process.is_up_until(at("12:25:00"))

    assert missed(engine) == [("daily", "missed", "12:20", "12:20", 1)]


def test_a_new_job_is_not_to_blame_for_what_was_before_it(engine):
    old = Process(engine, NOON, SYNC)
    old.is_up_until(at("12:02:00"))
    quick = Job("quick", Every(MINUTE), lambda _context: {})

    process = Process(engine, at("12:02:05"), SYNC, quick)
    process.is_up_until(at("12:02:55"))
    assert missed(engine) == []
    process.is_up_until(at("12:04:30"))

    assert missed(engine) == [("quick", "missed", "12:03", "12:03", 1)]


def test_a_changed_cadence_is_evaluated_from_then_on(engine):
    Process(engine, NOON, SYNC).is_up_until(at("12:15:30"))  # its tick is in its grace

    process = Process(engine, at("12:15:40"), replace(SYNC, cadence=Every(10 * MINUTE)))
    process.is_up_until(at("12:22:00"))

    assert missed(engine) == [("sync", "missed", "12:20", "12:20", 1)]
    assert watermarks(engine)["sync"].cadence == "every 10 min"


def test_a_job_that_was_not_scheduled_for_a_while_is_a_new_one_when_it_is_again(engine):
    other = Job("other", DailyAt(3, 0), lambda _context: {})
    Process(engine, NOON, SYNC, other).is_up_until(at("12:05:00"))
    Process(engine, at("12:05:10"), other).is_up_until(at("12:50:00"))
    assert set(watermarks(engine)) == {"other"}

    Process(engine, at("12:50:10"), SYNC, other).is_up_until(at("12:59:00"))

    assert missed(engine) == []


def test_what_fell_into_the_services_own_downtime_is_one_line_and_nobodys_fault(engine, records, caplog):
    daily = Job("cleanup", DailyAt(12, 20), lambda _context: {})
    process = Process(engine, NOON, SYNC, daily).is_up_until(at("12:14:00"))
    process.is_away_until(at("13:10:02")).start(SYNC, daily)
    records.runs("13:15:00")

    process.is_up_until(at("13:20:00"))

    assert missed(engine) == [
        ("cleanup", "downtime", "12:20", "12:20", 1),
        ("sync", "downtime", "12:15", "13:00", 4),
    ]
    assert process.missed == []
    assert caplog.messages[-1] == (
        "The scheduler was not running from 2025-10-02 12:14:00 UTC to 2025-10-02 13:10:02 UTC. Not executed: "
        "1 run of cleanup (2025-10-02 12:20:00 UTC), "
        "4 runs of sync (2025-10-02 12:15:00 UTC to 2025-10-02 13:00:00 UTC)."
    )


@pytest.mark.parametrize(
    ("back", "job", "levels"),
    [
        ("12:15:10", SYNC, [logging.INFO]),  # a deploy
        ("12:15:49", SYNC, [logging.INFO]),  # a second less than the grace
        ("12:15:50", SYNC, [logging.WARNING]),
        ("12:15:50", replace(SYNC, start_grace=5 * MINUTE), [logging.INFO]),
        ("18:01:00", replace(SYNC, catches_up=True), [logging.INFO]),
    ],
)
def test_a_restart_is_a_line_in_the_log_and_no_alert(engine, caplog, back, job, levels):
    caplog.set_level(logging.INFO)
    process = Process(engine, at("12:14:50"), job)
    process.is_away_until(at(back)).start(job)

    process.is_up_until(process.now + 20 * SECOND)

    found = [record.levelno for record in caplog.records if record.message.startswith("The scheduler was not running")]
    assert found == levels


BEFORE_IT_WAS_SET = datetime(1970, 1, 1, 0, 5, tzinfo=UTC) - NOON


BACK, FORWARD = (-24, -1, -0.5, -0.02), (0.02, 0.5, 1, 24 * 365)


@pytest.mark.parametrize(
    ("by", "restarts"),
    [
        (timedelta(hours=hours), restarts)
        for restarts in (False, True)
        for hours in (BACK if restarts else BACK + FORWARD)
    ],
)
def test_when_the_clock_is_set_it_is_said_once_and_no_missed_run_is_invented(engine, records, caplog, by, restarts):
    jobs = (SYNC, Job("often", Every(SECOND), lambda _context: {}), Job("daily", DailyAt(12, 0), lambda _context: {}))
    process = Process(engine, NOON, *jobs).is_up_until(at("12:02:00"))
    caplog.clear()
    missed_before = missed(engine)
    process.sets_clock(by)
    if restarts:
        process.start(*jobs)

    for _ in range(3):
        process.now += CHECK_INTERVAL
        process.monitor.check(process.now)

    assert missed(engine) == missed_before
    assert len([message for message in caplog.messages if message.startswith("The clock was")]) == 1
    assert {row.watched_until.replace(second=0) for row in watermarks(engine).values()} <= {
        (process.now - 15 * SECOND).replace(second=0),
        process.now.replace(second=0),
    }


@pytest.mark.parametrize("restarts", [False, True])
def test_when_a_clock_that_starts_in_1970_is_set_nothing_was_missed(engine, caplog, restarts):
    often = Job("often", Every(SECOND), lambda _context: {})
    process = Process(engine, NOON, often)
    with transaction(engine) as session:
        session.execute(
            update(ScheduleWatchRow).values(seen_at=NOON + BEFORE_IT_WAS_SET, watched_until=NOON + BEFORE_IT_WAS_SET)
        )
    process.sets_clock(timedelta(days=1))
    if restarts:
        process.start(often)

    process.is_up_until(process.now + 30 * SECOND)

    assert missed(engine) == []
    assert [message[:13] for message in caplog.messages] == ["The clock was"]


@pytest.mark.parametrize("by", [timedelta(hours=hours) for hours in (-1, -0.5, 0.5, 1)])
def test_of_two_processes_that_notice_it_one_says_that_the_clock_was_set(engine, caplog, by):
    one, other = Process(engine, NOON, SYNC), Process(engine, NOON, SYNC)
    for process in (one, other):
        process.is_up_until(at("12:10:00"))
    caplog.clear()

    for process in (one, other):
        process.sets_clock(by)
    for _ in range(6):
        for process in (one, other):
            process.now += CHECK_INTERVAL
            process.monitor.check(process.now)

    assert [message[:19] for message in caplog.messages] == [f"The clock was set {'f' if by > timedelta(0) else 'b'}"]
    assert missed(engine) == []


@pytest.mark.parametrize("by", [timedelta(hours=hours) for hours in (-1, 1, 24 * 365)])
def test_a_clock_that_is_set_while_no_process_runs_is_no_downtime(engine, caplog, tmp_path, by):
    process = Process(engine, NOON, SYNC, memory=ClockMemory(tmp_path / "clock")).is_up_until(at("12:10:00"))
    caplog.clear()

    process.is_away_until(at("12:10:20")).sets_clock(by).start(SYNC, memory=ClockMemory(tmp_path / "clock"))
    process.is_up_until(process.now + MINUTE)

    [said] = caplog.messages
    assert said.startswith(f"The clock was set {'forward' if by > timedelta(0) else 'back'} by")
    assert missed(engine) == []


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(minutes=-30), timedelta(minutes=30)])
def test_what_is_missed_after_the_clock_was_set_is_noticed(engine, by):
    process = Process(engine, NOON, SYNC).is_up_until(at("12:14:00")).sets_clock(by)

    process.is_up_until(process.now + 3 * MINUTE)

    tick = f"{at('12:15:00') + by:%H:%M}"
    assert missed(engine) == [("sync", "missed", tick, tick, 1)]


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_run_is_overdue_when_it_has_taken_too_long_however_the_clock_is_set(engine, records, by):
    job = Job("sync", DailyAt(23, 0), lambda _context: {})
    process = Process(engine, at("12:14:00"), job)
    run = records.run(at("12:15:00"), deadline=at("12:25:00"))
    process.is_up_until(at("12:16:00"))
    records.beats(run, at("12:16:00"), left=9 * MINUTE)
    process.sets_clock(by).is_up_until(at("12:17:00") + by)
    late = Process(engine, process.now, job).is_up_until(at("12:18:00") + by)
    records.beats(run, at("12:18:00") + by, left=7 * MINUTE)

    late.is_up_until(at("12:24:00") + by)
    assert (process.overdue, late.overdue) == ([], [])
    records.beats(run, at("12:25:05") + by, left=-5 * SECOND)
    late.is_up_until(at("12:26:00") + by)

    assert late.overdue == ["sync"]


def test_the_absence_of_a_scheduler_is_noticed_after_the_clock_was_set_back(engine, caplog):
    Process(engine, NOON, SYNC)
    now, set_by = NOON + SECOND, timedelta(0)
    absence = SchedulerAbsence(engine, lambda: (now - set_by).timestamp())  # noqa: PLW0108  # `now` changes
    absence.check(now)
    set_by = timedelta(hours=-1)
    now += set_by

    for _ in range(30):
        now += CHECK_INTERVAL
        absence.check(now)

    assert len(absences(caplog)) == 1


def test_a_clock_that_is_set_forward_is_no_absence_of_a_scheduler(engine, caplog):
    Process(engine, NOON, SYNC)
    now, set_by = NOON + SECOND, timedelta(0)
    absence = SchedulerAbsence(engine, lambda: (now - set_by).timestamp())  # noqa: PLW0108  # `now` changes
    absence.check(now)
    set_by = timedelta(hours=1)
    now += set_by

    absence.check(now)

    assert absences(caplog) == []


def test_a_downtime_without_a_tick_is_not_worth_a_word(engine, records, caplog):
    process = Process(engine, NOON, SYNC).is_up_until(at("12:01:00"))
    process.is_away_until(at("12:14:00")).start(SYNC)
    records.runs("12:15:00")

    process.is_up_until(at("12:20:00"))

    assert (missed(engine), caplog.messages) == ([], [])


def test_a_restart_of_a_few_seconds_over_a_tick_is_a_downtime_too(engine):
    process = Process(engine, at("12:14:50"), SYNC)
    process.is_away_until(at("12:15:03")).start(SYNC)

    process.is_up_until(at("12:17:00"))

    assert missed(engine) == [("sync", "downtime", "12:15", "12:15", 1)]


def test_a_tick_that_came_just_before_the_service_was_killed_fell_into_its_downtime(engine):
    process = Process(engine, at("12:14:55"), SYNC).is_up_until(at("12:15:00"))
    process.is_away_until(at("12:20:00")).start(SYNC)

    process.is_up_until(at("12:25:00"))

    assert missed(engine) == [("sync", "downtime", "12:15", "12:15", 1)]


def test_a_run_whose_process_was_killed_excuses_no_tick_of_the_downtime(engine, records):
    process = Process(engine, at("12:14:55"), SYNC).is_up_until(at("12:15:30"))
    records.run(at("12:15:00"))
    process.is_away_until(at("12:50:00")).start(SYNC)

    process.is_up_until(at("12:55:00"))

    assert missed(engine) == [("sync", "downtime", "12:30", "12:45", 2)]


@pytest.mark.parametrize("begins", [True, False])
def test_the_last_tick_of_a_downtime_is_run_by_a_job_that_catches_up_and_has_its_grace_from_then(
    engine, records, begins
):
    job = replace(SYNC, catches_up=True)
    process = Process(engine, NOON, job).is_up_until(at("12:14:00"))
    process.is_away_until(at("12:50:00")).start(job)
    if begins:
        records.run(at("12:45:00"), began=at("12:50:01"), ended=at("12:50:10"))

    process.is_up_until(at("12:51:00") - SECOND)
    assert missed(engine) == [("sync", "downtime", "12:15", "12:30", 2)]
    process.is_up_until(at("12:59:00"))

    assert missed(engine)[1:] == ([] if begins else [("sync", "missed", "12:45", "12:45", 1)])


def test_a_month_of_downtime_is_counted_in_no_time(engine):
    quick = Job("quick", Every(timedelta(seconds=15)), lambda _context: {})
    cron = Job("cron", Cron("* * * * *", "Europe/Berlin"), lambda _context: {})
    process = Process(engine, NOON, quick, cron)
    process.is_away_until(NOON + timedelta(days=30)).start(quick, cron)

    process.is_up_until(NOON + timedelta(days=30, seconds=20))

    assert [(name, ticks) for name, *_, ticks in missed(engine)] == [("cron", 10_000), ("quick", 30 * 86_400 // 15)]
    assert MAX_TICKS < 10_000


class Outage:
    """Makes the database unavailable while `active`."""

    def __init__(self, monitor, monkeypatch):
        self.active, self._evaluate_jobs = False, monitor._evaluate_jobs
        monkeypatch.setattr(monitor, "_evaluate_jobs", self)

    def __call__(self, current):
        if self.active:
            raise OperationalError("SELECT", {}, ConnectionRefusedError())
        return self._evaluate_jobs(current)


def test_what_came_while_the_database_was_unavailable_is_a_downtime_and_runs_recorded_late_are_no_alarm(
    engine, records, monkeypatch
):
    process = Process(engine, NOON, SYNC).is_up_until(at("12:15:00"))
    outage = Outage(process.monitor, monkeypatch)
    outage.active = True
    while process.now < at("12:40:00"):
        process.now += CHECK_INTERVAL
        with pytest.raises(OperationalError):
            process.monitor.check(process.now)
    outage.active = False

    process.is_up_until(at("12:40:10"))
    records.run(at("12:15:00"), ended=at("12:16:00"))  # it began just before, and is replayed only now
    process.is_up_until(at("12:44:00"))

    assert missed(engine) == [("sync", "downtime", "12:30", "12:30", 1)]


def fails_until(process, outage, moment):
    outage.active = True
    while process.now < moment:
        process.now += CHECK_INTERVAL
        with pytest.raises(OperationalError):
            process.monitor.check(process.now)
    outage.active = False


def downtimes_said(caplog):
    said = [(each.levelno, each.message) for each in caplog.records if "Not executed" in each.message]
    return [(level, message.partition(" from ")[0]) for level, message in said]


def test_a_downtime_that_is_a_database_outage_is_a_line_in_the_log_and_no_alert_about_the_schedule(
    engine, caplog, monkeypatch
):
    caplog.set_level(logging.INFO)
    process = Process(engine, NOON, SYNC).is_up_until(at("12:14:00"))
    outage = Outage(process.monitor, monkeypatch)

    fails_until(process, outage, at("12:40:00"))
    process.is_up_until(at("12:44:00"))

    assert missed(engine) == [("sync", "downtime", "12:15", "12:30", 2)]
    assert downtimes_said(caplog) == [(logging.INFO, "The database was unavailable to the scheduler")]

    process.is_away_until(at("13:20:00")).is_up_until(at("13:24:00"))
    assert downtimes_said(caplog)[1:] == [(logging.WARNING, "The scheduler was not running")]


@pytest.mark.parametrize(
    ("away", "fails", "away_again"),
    [("12:30:00", "12:40:00", ""), ("", "12:14:10", "12:40:00"), ("12:30:00", "12:31:00", "12:40:00")],
    ids=["before the outage", "after its beginning", "before and after"],
)
def test_an_outage_does_not_explain_the_time_for_which_the_process_was_not_there(
    engine, caplog, monkeypatch, away, fails, away_again
):
    caplog.set_level(logging.INFO)
    process = Process(engine, NOON, SYNC).is_up_until(at("12:14:00"))
    outage = Outage(process.monitor, monkeypatch)

    if away:
        process.is_away_until(at(away))
    fails_until(process, outage, at(fails))
    if away_again:
        process.is_away_until(at(away_again))
    process.is_up_until(process.now + 4 * MINUTE)

    assert downtimes_said(caplog) == [(logging.WARNING, "The scheduler was not running")]


def test_an_outage_in_two_parts_is_one(engine, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    process = Process(engine, NOON, SYNC).is_up_until(at("12:14:00"))
    outage = Outage(process.monitor, monkeypatch)

    fails_until(process, outage, at("12:20:00"))
    process.is_up_until(at("12:20:10"))
    fails_until(process, outage, at("12:40:00"))
    process.is_up_until(at("12:44:00"))

    assert missed(engine) == [("sync", "downtime", "12:15", "12:30", 2)]
    assert downtimes_said(caplog) == [(logging.INFO, "The database was unavailable to the scheduler")]


def test_a_suspended_process_takes_the_time_for_a_downtime(engine):
    process = Process(engine, NOON, SYNC).is_up_until(at("12:14:00"))

    process.is_away_until(at("12:40:00")).is_up_until(at("12:44:00"))

    assert missed(engine) == [("sync", "downtime", "12:15", "12:30", 2)]


def test_while_another_process_was_running_there_was_no_downtime(engine, records):
    one, other = Process(engine, NOON, SYNC), Process(engine, NOON, SYNC)
    one.is_up_until(at("12:14:00"))
    other.is_up_until(at("12:20:00"))
    records.runs("12:30:00")

    for second in range(0, 20 * 60, 10):
        moment = at("12:20:00") + second * SECOND
        other.is_up_until(moment)
        if moment == at("12:25:00"):
            one.is_away_until(moment).start(SYNC)
        if moment > at("12:25:00"):
            one.is_up_until(moment)

    assert missed(engine) == [("sync", "missed", "12:15", "12:15", 1)]


def test_a_process_that_is_killed_again_before_it_evaluates_leaves_that_to_the_next(engine):
    process = Process(engine, NOON, SYNC).is_up_until(at("12:14:00"))
    process.is_away_until(at("12:50:00")).start(SYNC)
    process.is_up_until(at("12:50:10")).is_away_until(at("13:10:00")).start(SYNC)

    process.is_up_until(at("13:14:00"))

    assert missed(engine) == [("sync", "downtime", "12:15", "13:00", 4)]


def test_of_two_processes_that_see_the_same_exactly_one_says_it(engine):
    """Each has an engine of its own, as a process would."""
    engines = [create_engine(engine.url) for _ in range(2)]
    processes = [Process(own, NOON, SYNC) for own in engines]
    for process in processes:
        process.is_up_until(at("12:14:30"))
    together = threading.Barrier(2)

    def keep_checking(process):
        for _ in range(24):
            together.wait(30)
            process.is_up_until(process.now + CHECK_INTERVAL)

    with ThreadPoolExecutor(2) as both:
        list(both.map(keep_checking, processes))
    for own in engines:
        own.dispose()

    assert missed(engine) == [("sync", "missed", "12:15", "12:15", 1)]
    assert [*processes[0].missed, *processes[1].missed] == [("sync", 1)]


def test_a_run_that_goes_on_for_too_long_is_marked_while_it_runs_and_once(engine, records, caplog):
    process, other = Process(engine, at("12:14:00"), SYNC), Process(engine, at("12:14:00"), SYNC)
    run = records.run(at("12:15:00"), deadline=at("12:25:00"))
    records.run(at("12:15:00"), job="other", deadline=at("13:25:00"))
    records.run(at("12:15:00"), ended=at("12:16:00"), job="third", deadline=at("12:25:00"))

    process.is_up_until(at("12:25:00"))
    assert process.overdue == []
    records.beats(run, at("12:25:05"), left=-5 * SECOND)
    process.is_up_until(at("12:29:00"), at_first=CHECK_INTERVAL)
    other.is_away_until(at("12:28:00")).is_up_until(at("12:29:00"))

    assert (process.overdue, other.overdue) == (["sync"], [])
    with transaction(engine) as session:
        marked = session.scalars(select(JobRunRow).where(JobRunRow.overdue_at.is_not(None))).one()
    assert (marked.run_id, marked.overdue_at, marked.finished_at) == (run.run_id, at("12:25:05"), None)
    [record] = caplog.records
    assert (
        record.getMessage()
        == "Job sync has been running for 10 min; its limit is 10 min. The service does not stop it."
    )
    assert (record.levelno, record.component) == (logging.WARNING, "scheduler")


def test_of_a_job_with_very_many_runs_what_is_not_known_is_no_alarm(engine, records):
    process = Process(engine, NOON, SYNC)
    process.is_up_until(at("12:15:30"))
    records.runs("12:15:00")
    for number in range(MAX_RUNS):
        moment = at("12:15:40") + number * timedelta(milliseconds=1)
        records.run(None, began=moment, ended=moment)

    process.is_up_until(at("12:20:00"))

    assert missed(engine) == []


@pytest.mark.parametrize(
    ("zone", "change", "hour", "minute"),
    [
        ("Europe/Berlin", "2025-03-30T01:00:00", 2, 30),
        ("America/New_York", "2025-11-02T06:00:00", 1, 30),
        *(
            pytest.param(*night, marks=pytest.mark.e2e)
            for night in [
                ("Europe/Berlin", "2025-10-26T01:00:00", 2, 30),
                ("America/New_York", "2025-03-09T07:00:00", 2, 30),
                ("Australia/Lord_Howe", "2025-10-04T15:30:00", 2, 15),
                ("Australia/Lord_Howe", "2025-04-05T15:00:00", 1, 45),
                ("Africa/Casablanca", "2025-04-06T02:00:00", 2, 30),
                ("Africa/Casablanca", "2025-02-23T02:00:00", 2, 30),
            ]
        ),
    ],
)
def test_at_a_time_that_the_night_leaves_out_or_shows_twice_a_daily_job_is_due_once(
    sqlite_engine, zone, change, hour, minute
):
    night = datetime.fromisoformat(change).replace(tzinfo=UTC)
    lazy = Job("lazy", DailyAt(hour, minute, zone), lambda _context: {})
    diligent = replace(lazy, name="diligent")
    process = Process(sqlite_engine, night - 40 * MINUTE, lazy, diligent)
    tick = lazy.cadence.after(process.now)
    RunRecords(sqlite_engine).run(tick, ended=tick + SECOND, job="diligent")

    process.is_up_until(night + 40 * MINUTE, GAP)

    assert abs(tick - night) < 35 * MINUTE
    assert process.missed == [("lazy", 1)]


def test_a_process_that_does_not_run_the_schedule_alerts_once_that_nobody_does(engine, caplog):
    Process(engine, NOON, SYNC)
    now = at("12:30:00")
    absence = SchedulerAbsence(engine, lambda: now.timestamp())  # noqa: PLW0108  # `now` changes
    absence.check(now)
    now = at("12:31:00")
    absence.check(now)
    assert absences(caplog) == []
    for _ in range(1, 60):
        now += SECOND
        absence.check(now)
    assert absences(caplog) == [NOBODY.format("2025-10-02 12:00:00 UTC")]

    with transaction(engine) as session:
        session.execute(update(ScheduleWatchRow).values(seen_at=at("12:40:00")))
    for now in (at("12:40:30"), at("12:42:00")):
        absence.check(now)
    assert absences(caplog)[1:] == [NOBODY.format("2025-10-02 12:40:00 UTC")]


def test_after_a_database_outage_a_scheduler_has_the_time_for_its_first_heartbeat(engine, caplog, monkeypatch):
    Process(engine, NOON, SYNC)
    now = at("12:00:30")
    absence = SchedulerAbsence(engine, lambda: now.timestamp())  # noqa: PLW0108  # `now` changes
    absence.check(now)
    with monkeypatch.context() as patch:
        patch.setattr("service.scheduler.monitoring.monitor.transaction", raise_unavailable)
        for now in (at("12:01:00"), at("12:10:00")):
            with pytest.raises(OperationalError):
                absence.check(now)

    for now in (at("12:10:05"), at("12:11:00")):
        absence.check(now)
    assert absences(caplog) == []

    now = at("12:11:10")
    absence.check(now)
    assert absences(caplog) == [NOBODY.format("2025-10-02 12:00:00 UTC")]


def raise_unavailable(_engine):
    raise OperationalError("SELECT", {}, ConnectionRefusedError())


def test_where_nobody_has_ever_run_the_schedule_nothing_is_said(engine, caplog):
    absence = SchedulerAbsence(engine)

    absence.check(NOON)
    absence.check(NOON + timedelta(hours=1))

    assert absences(caplog) == []


def pauses(engine, clock):
    pause_job(engine, "sync", Pause(at(clock), "Anna", "the warehouse is moved"))


def test_the_ticks_of_a_paused_job_are_not_missed_nor_are_those_before_it_is_resumed(engine, records, caplog):
    process = Process(engine, NOON, SYNC)
    pauses(engine, "12:10:00")

    process.is_up_until(at("13:00:20"))
    resume_job(engine, "sync", at("13:00:20"))  # within the grace of the tick of 13:00
    process.is_up_until(at("13:14:00"))
    assert (missed(engine), caplog.messages) == ([], [])

    process.is_up_until(at("13:20:00"))
    assert missed(engine) == [("sync", "missed", "13:15", "13:15", 1)]


def test_a_tick_that_was_missed_before_the_pause_and_noticed_stays_missed(engine):
    process = Process(engine, NOON, SYNC)
    process.is_up_until(at("12:20:00"))
    pauses(engine, "12:20:00")

    process.is_up_until(at("13:20:00"))

    assert missed(engine) == [("sync", "missed", "12:15", "12:15", 1)]


@pytest.mark.parametrize(
    ("resumed", "not_executed"),
    [("12:50:00", [("sync", "downtime", "13:00", "13:15", 2)]), ("13:20:00", []), (None, [])],
)
def test_of_a_downtime_the_ticks_within_a_pause_are_not_counted(engine, resumed, not_executed):
    """The scheduler was not running from 12:14 to 13:16. The job was paused and resumed by a process that only serves."""
    process = Process(engine, NOON, SYNC)
    process.is_up_until(at("12:14:00"))
    pauses(engine, "12:14:30")
    if resumed == "12:50:00":
        resume_job(engine, "sync", at(resumed))

    process.is_away_until(at("13:16:00")).start(SYNC)
    process.is_up_until(at("13:20:00"))
    if resumed == "13:20:00":
        resume_job(engine, "sync", at(resumed))
    process.is_up_until(at("13:29:00"))

    assert missed(engine) == not_executed


def test_a_job_that_is_resumed_while_a_scheduler_settles_has_missed_nothing(engine):
    """The process is back at 13:15:05; the pause ends at 13:15:12, before the downtime is evaluated."""
    process = Process(engine, NOON, SYNC)
    process.is_up_until(at("12:14:00"))
    pauses(engine, "12:14:30")
    process.is_away_until(at("13:14:58")).start(SYNC)
    resume_job(engine, "sync", at("13:15:02"))

    process.is_up_until(at("13:29:00"))

    assert missed(engine) == []
