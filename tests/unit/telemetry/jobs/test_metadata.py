"""The metadata of a run is at most 64 KiB as JSON; what exceeds that is cut, and marked."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import semconv
from telemetry.jobs import monitor_job
from telemetry.jobs.metadata import MARK, MAX_METADATA_BYTES, bounded, from_attribute, to_attribute

LARGE = {
    "one text": {"a": "x" * 2_000_000},
    "text of large characters": {"a": "\U0001f600" * 100_000},
    "text of quotes": {"a": '"' * 100_000},
    "many keys": {f"key {n}": n for n in range(10_000)},
    "a long key": {"k" * 200_000: 1},
    "a long list": {"a": list(range(30_000))},
    "nested": {"a": {"b": [{"c": "x" * 1000} for _ in range(200)]}},
    "a large number": {"a": int("9" * 4000), "b": ["9" * 100] * 1000},
    "deep": {"a": json.loads("[" * 30 + '"' + "x" * 100_000 + '"' + "]" * 30)},
    "bytes": {"a": b"x" * 100_000},
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_larger_is_cut_and_marked_and_small_values_stay(recording, name):
    with monitor_job("sync", {**LARGE[name], "orders": 7}) as run:
        run.metadata["shop"] = "wb"

    for recorded in recording.runs:
        assert len(json.dumps(recorded.metadata)) <= MAX_METADATA_BYTES
        assert recorded.metadata[MARK].startswith("cut: ")
    assert recorded.status == "success"
    assert (recorded.metadata["orders"], recorded.metadata["shop"]) == (7, "wb")


@pytest.mark.parametrize("name", LARGE)
def test_the_metadata_of_a_foreign_span_is_cut_as_well(recording, name):
    text = json.dumps(LARGE[name], default=str)
    tracer = recording.activate()

    tracer.start_span("job", attributes={semconv.JOB_NAME: "sync", semconv.JOB_METADATA: text}).end()

    assert len(json.dumps(recording.runs[-1].metadata)) <= MAX_METADATA_BYTES
    assert MARK in recording.runs[-1].metadata


def test_what_fits_is_not_changed():
    exact = {"a": "x" * (MAX_METADATA_BYTES - len('{"a": ""}'))}

    assert from_attribute(to_attribute(exact)) == exact
    assert bounded({**exact, "b": 1}) != {**exact, "b": 1}
    assert from_attribute(None) == {}
    assert from_attribute("{}") == {}


def test_a_secret_at_the_place_of_the_cut_is_not_told_in_part():
    secret = "Bearer abcdefghijklmnopqrstuvwxyz0123456789"
    for start in range(MAX_METADATA_BYTES - 300, MAX_METADATA_BYTES, 29):
        cut = from_attribute(to_attribute({"a": "x" * start + " " + secret + " " + "y" * 100_000}))

        assert "abcdefgh" not in json.dumps(cut)


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), jsons, max_size=8), st.integers(300, 600))
def test_any_metadata_fits_its_limit(metadata, limit):
    cut = bounded(metadata, limit)

    assert len(json.dumps(cut)) <= limit or all(len(json.dumps(value)) <= 100 for value in cut.values())
    assert (cut == metadata) is (MARK not in cut)
