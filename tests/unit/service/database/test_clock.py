import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from service.database.clock import ClockMemory, DatabaseClock, JumpDetector, is_of_another_clock
from service.scheduler.cadence import Cron
from tests.support.telegram_server import HandClock

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_clock_that_goes_on_or_is_corrected_by_seconds_was_not_set():
    elapsed = HandClock(0.0)
    jumps = JumpDetector(elapsed)

    found = [
        jumps.observe(NOON + timedelta(seconds=elapsed.forward(100) + correction)) for correction in (0, 3, -40, 19)
    ]

    assert found == [timedelta(0)] * 4


@pytest.mark.parametrize("by", [timedelta(hours=-1), 30 * MINUTE, -30 * MINUTE, 2 * MINUTE, timedelta(days=20_000)])
def test_a_jump_is_noticed_once(by):
    jumps = JumpDetector(lambda: 0.0)
    jumps.observe(NOON)

    assert [jumps.observe(NOON + by), jumps.observe(NOON + by)] == [by, timedelta(0)]


def test_a_jump_while_no_process_ran_is_noticed_by_the_next_one_and_once(tmp_path):
    elapsed = HandClock(0.0)
    JumpDetector(elapsed, ClockMemory(tmp_path / "data" / "clock")).observe(NOON)
    elapsed.forward(20)
    now = NOON + timedelta(hours=1, seconds=20)

    found = [JumpDetector(elapsed, ClockMemory(tmp_path / "data" / "clock")).observe(now) for _ in range(2)]

    assert found == [timedelta(hours=1), timedelta(0)]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["clock"]


@pytest.mark.parametrize("text", ["", "other-boot 5", "{boot} x", "{boot} nan", "{boot} 1e300", "{boot}", "\udcff"])
def test_a_memory_that_is_broken_or_of_another_start_of_the_machine_says_nothing(tmp_path, text):
    boot, file = tmp_path / "boot_id", tmp_path / "clock"
    boot.write_text("this-boot\n")
    file.write_bytes(text.format(boot="this-boot").encode(errors="surrogateescape"))

    assert ClockMemory(file, boot).read() is None


def test_a_memory_that_cannot_be_kept_changes_nothing(tmp_path):
    (tmp_path / "file").write_text("")

    for memory in (ClockMemory(tmp_path / "file" / "clock"), ClockMemory(tmp_path / "clock", tmp_path / "no_boot_id")):
        jumps = JumpDetector(lambda: 0.0, memory)
        assert [jumps.observe(NOON), jumps.observe(NOON + 5 * MINUTE)] == [timedelta(0), 5 * MINUTE]


def test_a_memory_is_written_again_when_the_clock_was_set_and_not_each_time(tmp_path):
    memory = ClockMemory(tmp_path / "clock")
    memory.write(timedelta(seconds=5))
    before = (tmp_path / "clock").stat().st_ino
    memory.write(timedelta(seconds=5.5))
    assert (tmp_path / "clock").stat().st_ino == before

    memory.write(timedelta(seconds=3605))

    assert memory.read() == timedelta(seconds=3605)


def test_a_timestamp_in_the_future_or_of_a_clock_that_was_never_set_is_of_another_clock():
    def judged(moment):
        return is_of_another_clock(moment, NOON)

    assert not any(map(judged, (NOON, NOON + MINUTE, NOON - timedelta(days=365))))
    assert all(map(judged, (NOON + 2 * MINUTE, datetime(1970, 1, 1, 0, 5, tzinfo=UTC))))


def test_the_databases_clock_is_asked_again_at_once_when_the_machines_is_set(postgres_engine):
    real = datetime.now(UTC).timestamp()
    machine = HandClock(real)
    clock = DatabaseClock(postgres_engine, machine, lambda: 0.0)
    clock.now()

    machine.forward(-3600.0)

    assert abs(clock.now().timestamp() - real) < 60


def test_before_the_database_has_answered_its_time_is_not_known(postgres_engine):
    clock = DatabaseClock(postgres_engine, lambda: time.time() - 1800, monotonic := HandClock(0.0))
    clock._engine = Unavailable(postgres_engine.dialect)

    with pytest.raises(SQLAlchemyError):
        clock.known_now()
    assert abs(clock.now().timestamp() - time.time() + 1800) < 60

    clock._engine = postgres_engine
    monotonic.forward(5)
    assert abs(clock.known_now().timestamp() - time.time()) < 60


def test_a_thread_that_asks_while_another_compares_the_clocks_gets_the_databases_time(postgres_engine):
    """Not that of the machine, which is wrong."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Unavailable):
        def connect(self):
            begun.set()
            assert go_on.wait(30)
            return postgres_engine.connect()

    clock = DatabaseClock(postgres_engine, lambda: time.time() - 1800)
    clock._engine = Slow(postgres_engine.dialect)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(clock.now)
        assert begun.wait(30)
        second = both.submit(clock.now)
        wait([second], 0.2)
        go_on.set()

    assert [abs(each.result().timestamp() - time.time()) < 60 for each in (first, second)] == [True, True]


class Unavailable:
    def __init__(self, dialect):
        self.dialect = dialect

    def connect(self):
        raise OperationalError("SELECT", None, ConnectionRefusedError())


def test_the_last_tick_of_a_crontab_is_found_in_few_steps():
    asked = 0

    class Counting(Cron):
        def after(self, moment):
            nonlocal asked
            asked += 1
            return super().after(moment)

    tick = Counting("* * 1 1 *").before(NOON)

    assert tick == datetime(2025, 1, 1, 23, 59, tzinfo=UTC)
    assert asked <= 100
