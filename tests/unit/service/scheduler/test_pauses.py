from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.database.schedule_tables import ScheduleClaimRow
from service.scheduler.claims import Claims
from service.scheduler.pauses import Pause, one_line, pause_job, paused_jobs, resume_job
from telemetry.database import transaction

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
MOVING = Pause(NOON, "Anna", "the warehouse is moved")


def test_a_pause_says_since_when_by_whom_and_why(engine):
    assert pause_job(engine, "sync", MOVING) == MOVING
    assert paused_jobs(engine) == {"sync": MOVING}
    assert str(MOVING) == "Paused since 2025-10-02 12:00 UTC by Anna: the warehouse is moved"


def test_a_second_pause_has_the_new_reason_and_the_first_start(engine):
    pause_job(engine, "sync", MOVING)

    assert pause_job(engine, "sync", Pause(LATER, "Boris", "stocktaking")) == Pause(NOON, "Boris", "stocktaking")


def test_no_process_claims_a_tick_of_a_paused_job_until_it_is_resumed(engine):
    claims, other = Claims(engine), Claims(engine)
    pause_job(engine, "sync", MOVING)

    assert [claims.claim_tick("sync", NOON, "a"), other.claim_tick("sync", NOON, "b")] == ["paused", "paused"]
    assert claims.claim_tick("other", NOON, "c") == "claimed"
    with transaction(engine) as session:
        assert list(session.scalars(select(ScheduleClaimRow.job_name))) == ["other"]

    assert resume_job(engine, "sync", LATER)
    assert claims.claim_tick("sync", LATER, "d") == "claimed"


def test_a_paused_job_can_be_run_by_hand(engine):
    pause_job(engine, "sync", MOVING)

    assert Claims(engine).claim_manual_run("sync", "by hand")


def test_a_job_that_is_not_paused_is_resumed_without_harm(engine):
    assert not resume_job(engine, "sync", NOON)
    assert paused_jobs(engine) == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  moving\n\tthe\r\nwarehouse ", "moving the warehouse"),
        ("nul \x00 and \ud800 a half", "nul and a half"),
        ("склад переезжает 📦", "склад переезжает 📦"),
        ("x" * 700, "x" * 500),
        ("password=hunter2hunter2", "password=[hidden password]"),
        ("\u202emoving\u2066", "moving"),
        (" \n\x00", ""),
    ],
)
def test_a_persons_text_is_one_line_that_a_database_takes(engine, given, kept):
    assert one_line(given, 500) == kept
    assert pause_job(engine, "sync", Pause(NOON, given, given)).reason == kept
