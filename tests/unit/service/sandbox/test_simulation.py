import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from service.sandbox import credentials
from service.sandbox.journal import Journal
from service.sandbox.simulation import Simulation, Timeline, utcnow
from service.sandbox.token_bucket import TokenBucket
from tests.support.processes import ROOT

EPOCH = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_the_same_key_gives_the_same_numbers_whatever_was_asked_before():
    one, other = Simulation(1, EPOCH), Simulation(1, EPOCH)
    other.random("orders", 7).random()

    assert one.random("orders", 8).random() == other.random("orders", 8).random()
    assert one.random("orders", 8).random() != one.random("orders", 9).random()
    assert one.random("orders", 8).random() != Simulation(2, EPOCH).random("orders", 8).random()


def test_numbers_are_the_same_in_every_process():
    program = (
        "from datetime import *; from service.sandbox.simulation import Simulation; "
        "print(Simulation(1, datetime.now(UTC)).random('a', 1).random())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )

    assert float(told.stdout) == Simulation(1, EPOCH).random("a", 1).random()


def test_a_frozen_world_stands_still_until_it_lives_again(clock):
    simulation = Simulation(1, EPOCH, clock)
    before = simulation.now()

    simulation.freeze()
    clock.advance(HOUR)
    simulation.freeze()
    assert simulation.now() == before

    simulation.thaw()
    assert simulation.now() == before + HOUR


def test_a_world_goes_by_the_clock_on_the_wall_unless_it_is_given_another():
    assert abs(Simulation(1, EPOCH).now() - utcnow()) < timedelta(seconds=5)


def test_things_lie_evenly_before_the_epoch_and_one_in_each_period_after_it(clock):
    clock.now = EPOCH
    line = Timeline(Simulation(1, EPOCH, clock), 4, 4 * HOUR, MINUTE)
    whole = EPOCH.replace(microsecond=123000)

    moments = [line.created_at(number) for number in range(6)]

    assert moments == [
        whole - 4 * HOUR,
        whole - 3 * HOUR,
        whole - 2 * HOUR,
        whole - HOUR,
        whole + MINUTE,
        whole + 2 * MINUTE,
    ]
    assert line.count() == 4
    clock.advance(MINUTE - timedelta(microseconds=1))
    assert line.count() == 4
    clock.advance(timedelta(microseconds=1))
    assert line.count() == 5
    assert line.created_at(line.count() - 1) <= clock.now < line.created_at(line.count())


def test_a_world_without_a_backlog_begins_at_the_epoch_and_nothing_comes_before_it(clock):
    line = Timeline(Simulation(1, EPOCH, clock), 0, HOUR, MINUTE)

    clock.now = EPOCH - HOUR
    assert line.count() == 0
    clock.now = EPOCH + MINUTE
    assert (line.count(), line.created_at(0)) == (1, EPOCH.replace(microsecond=123000) + MINUTE)


# The journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sandbox" / "journal.jsonl"


@pytest.fixture
def journal_at():
    opened = []

    def make(path=None):
        opened.append(Journal(path))
        return opened[-1]

    yield make
    for journal in opened:
        journal.close()


def test_a_journal_is_read_back_in_order_and_by_kind(journal_at, path):
    journal = journal_at(path)
    journal.start(1, EPOCH)
    journal.append("answer", text="thanks\u2028all")
    journal.append("status", number=1)
    journal.append("answer", text="welcome")

    again = journal_at(path)

    assert [entry["text"] for entry in again.entries("answer")] == ["thanks\u2028all", "welcome"]
    assert list(again.entries("status")) == [{"kind": "status", "number": 1}]
    assert list(again.entries("nothing")) == []
    assert again.start(1, EPOCH + HOUR) == EPOCH


def test_a_journal_without_a_file_is_one_too(journal_at):
    journal = journal_at()

    assert journal.start(1, EPOCH) == EPOCH
    journal.append("answer", text="a")
    assert len(list(journal.entries("answer"))) == 1


def test_only_its_owner_reads_a_journal(journal_at, path):
    journal_at(path).start(1, EPOCH)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "torn",
    [
        b'{"kind": "answer", "text": "sp',
        '{"kind": "answer", "text": "я'.encode()[:-1],
        b"\0\0\0",
        b'{"kind": "a"}',
        b"7\n",
    ],
)
def test_a_line_that_was_torn_is_cut_off_and_what_is_written_after_it_is_kept(journal_at, path, torn):
    journal = journal_at(path)
    journal.start(1, EPOCH)
    journal.append("answer", text="first")
    with path.open("ab") as file:
        file.write(torn)

    mended = journal_at(path)
    mended.append("answer", text="second")

    again = journal_at(path)
    assert [entry["text"] for entry in again.entries("answer")] == ["first", "second"]
    assert again.start(1, EPOCH + HOUR) == EPOCH


def test_another_seed_begins_another_world_and_a_journal_of_its_own(journal_at, path):
    journal = journal_at(path)
    journal.start(1, EPOCH)
    journal.append("answer", text="a")

    assert journal.start(2, EPOCH + HOUR) == EPOCH + HOUR
    journal.append("answer", text="b")

    again = journal_at(path)
    assert again.start(2, EPOCH + 2 * HOUR) == EPOCH + HOUR
    assert [entry["text"] for entry in again.entries("answer")] == ["b"]


def test_what_is_forgotten_is_in_the_file_all_the_same(journal_at, path):
    journal = journal_at(path)
    journal.start(1, EPOCH)
    for number in range(5):
        journal.append("message", number=number)
        journal.append("edit", number=number)

    journal.prune("message", keep=2)

    assert [entry["number"] for entry in journal.entries("message")] == [3, 4]
    assert len(list(journal.entries("edit"))) == 5
    assert [entry["number"] for entry in journal_at(path).entries("message")] == [0, 1, 2, 3, 4]


# The limits


def test_a_bucket_lets_its_burst_through_and_then_one_in_each_interval(clock):
    bucket = TokenBucket(2.0, 3, clock.seconds)

    assert [bucket.acquire() for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    clock.advance(timedelta(seconds=1.5))
    assert bucket.acquire() == pytest.approx(0.5)
    clock.advance(timedelta(seconds=0.5))
    assert [bucket.acquire(), bucket.acquire()] == [0.0, pytest.approx(2.0)]


def test_a_bucket_says_what_is_left_and_when_it_is_full_again_and_is_never_more_than_full(clock):
    bucket = TokenBucket(2.0, 3, clock.seconds)
    bucket.acquire()

    assert (bucket.remaining, bucket.until_full) == (2, pytest.approx(2.0))
    clock.advance(HOUR)
    assert (bucket.remaining, bucket.until_full) == (3, 0.0)


def test_a_bucket_may_be_asked_for_many_at_once_and_a_refusal_takes_nothing(clock):
    bucket = TokenBucket(0.5, 100, clock.seconds)

    assert bucket.acquire(60) == 0.0
    assert bucket.acquire(60) == pytest.approx(10.0)
    assert bucket.remaining == 40


# The credentials


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_token_of_wildberries_has_the_form_and_the_claims_of_a_real_one():
    head, claims, _signature = map(decoded, credentials.wb_token().split("."))

    assert (head["alg"], head["typ"]) == ("ES256", "JWT")
    assert (claims["acc"], claims["t"], claims["sid"]) == (credentials.PERSONAL, False, credentials.WB_SELLER)
    assert claims["s"] == 1 << 5 | 1 << 7
    assert datetime.fromtimestamp(claims["exp"], UTC) == datetime(2100, 1, 1, tzinfo=UTC)


def test_a_token_of_wildberries_may_be_of_another_kind_expire_or_open_less():
    claims = decoded(credentials.wb_token(credentials.TEST, expires=1_795_430_000, scopes=1 << 5).split(".")[1])

    assert (claims["acc"], claims["t"], claims["exp"], claims["s"]) == (2, True, 1_795_430_000, 1 << 5)


def test_credentials_look_like_those_that_they_stand_for():
    number, _, secret = credentials.TELEGRAM_TOKEN.partition(":")

    assert number.isdecimal()
    assert len(secret) > 30
    assert credentials.OPENAI_API_KEY.startswith("sk-")
    assert credentials.OZON_CLIENT_ID.isdecimal()
    assert int(credentials.TELEGRAM_CHAT_ID) < -1_000_000_000_000
