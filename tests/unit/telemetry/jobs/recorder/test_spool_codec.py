import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.jobs.recorder.spool_codec import decode, encode
from tests.support.job_runs import NOON, ended, started

texts = st.text(max_size=50)
moments = st.datetimes(timezones=st.just(UTC))
values = st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner, max_size=3))


@settings(max_examples=40, deadline=None)
@given(
    error_message=st.none() | texts,
    metadata=st.dictionaries(texts, values, max_size=3),
    scheduled_for=st.none() | moments,
    slowest_child_seconds=st.none() | st.floats(0, 1e9),
)
def test_a_run_comes_back_as_it_was_written(**changes):
    run = ended(1, **changes)

    assert decode(encode(run)) == run


def test_a_run_is_one_line_whatever_its_texts_are():
    line = encode(ended(1, "error", error_message="two\nlines\r\u2028 and a №"))

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert line.isascii()


@pytest.mark.parametrize("kept", [0, 1, 8, 9, 50, -2])
def test_a_line_that_is_not_whole_is_none(kept):
    assert decode(encode(started(1))[:kept]) is None


def test_a_line_in_which_one_letter_is_another_is_none():
    assert decode(encode(started(1)).replace(b"sync", b"sink")) is None


def test_a_moment_keeps_its_microseconds():
    run = started(1, started_at=datetime(2025, 10, 2, 12, 0, 0, 1, tzinfo=UTC), deadline_at=NOON + timedelta(days=1))

    assert decode(encode(run)) == run


def test_names_of_a_later_version_are_left_out_and_what_this_one_needs_must_be_there():
    def line(values):
        text = json.dumps(values).encode()
        return b"%08x %b\n" % (zlib.crc32(text), text)

    known = json.loads(encode(started(1))[9:])

    assert decode(line({**known, "colour": "red"})) == started(1)
    assert decode(line({"run_id": "1"})) is None
    assert decode(line([1, 2])) is None
