"""Snapshot: a reader gets what was written, or nothing."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue
from telemetry.metrics.multiprocess.snapshot import DecodedFiles, Snapshot, replace_file

texts = st.text(st.characters(), max_size=12)  # with lone surrogates, which a file's name may have
numbers = st.floats() | st.integers(-(2**80), 2**80)
exemplars = st.builds(Exemplar, texts, texts, st.floats(0, 2), st.floats(0, 2e9))


@st.composite
def histograms(draw):
    bounds = draw(st.sampled_from([(), (0.1, 1.0), (0.5,)]))
    counts = draw(st.lists(st.integers(0, 2**70), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    made = HistogramValue(bounds, counts, draw(numbers))
    made.add_exemplars(draw(st.lists(exemplars, max_size=3)))
    return made


families = st.builds(
    Family,
    texts,
    st.sampled_from(["counter", "gauge", "histogram"]),
    texts,
    st.dictionaries(texts, numbers, max_size=4),
    st.dictionaries(texts, histograms(), max_size=4),
    st.sampled_from(["sum", "newest", "worker"]),
)


@settings(max_examples=40, deadline=None)
@given(texts, st.floats(0, 2e9), st.lists(families, max_size=3))
def test_a_snapshot_comes_back_as_it_was(worker, taken_at, families_of_it):
    back = Snapshot.decode(Snapshot(worker, taken_at, families_of_it).encode())

    assert repr(back) == repr(
        Snapshot(worker, taken_at, families_of_it)
    )  # by representation, since NaN is not equal to itself


def test_text_that_is_none_stays_apart_from_the_text_that_it_could_be():
    families_of_it = [Family("a_total", "counter", "A.", {"\ud83d\ude00": 1, "\U0001f600": 2})]

    assert Snapshot.decode(Snapshot("0", 1.0, families_of_it).encode()).families == families_of_it


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"[1, 0, 0, []]",
        b'[2, "0", 1.0, [["a"]]]',
        b'[2, "0", 1.0, [["a", "histogram", "", "sum", {}, [], {"": [0, [1], 1, []]}, "", 0.0, ""]]]',
        b"\xff",
        b"[2,0,0,7]",
    ],
    ids=["empty", "object", "short", "version", "family", "bounds", "bytes", "families"],
)
def test_data_that_is_no_snapshot_is_an_error(data):
    with pytest.raises(ValueError, match=r"."):
        Snapshot.decode(data)


def test_a_part_of_a_snapshot_is_no_snapshot():
    whole = Snapshot("0", 1.0, [Family("a_total", "counter", "A.", {"": 1})]).encode()

    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            Snapshot.decode(whole[:length])


def test_bounds_that_many_series_have_are_written_once():
    series = {str(i): HistogramValue((0.1, 12345.5), [1, 0, 0], 0.05) for i in range(10)}

    assert Snapshot("0", 1.0, [Family("a", "histogram", "A.", histograms=series)]).encode().count(b"12345.5") == 1


def test_a_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    replace_file(file, b"old")

    def killed(_self, _target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        replace_file(file, b"new")

    assert file.read_bytes() == b"old"
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


class Decoder:
    """Keeps what it has decoded."""

    def __init__(self):
        self.decoded = []

    def __call__(self, data):
        self.decoded.append(data)
        return json.loads(data)


@pytest.fixture
def decoder():
    return Decoder()


def test_a_file_is_decoded_again_only_when_its_content_changes(tmp_path, decoder):
    decoded, file = DecodedFiles(decoder), tmp_path / "a"
    file.write_bytes(b"[1]")

    first, again = decoded.read(file), decoded.read(file)
    file.write_bytes(b"[2]")

    assert (first, again, decoded.read(file)) == ([1], [1], [2])
    assert decoder.decoded == [b"[1]", b"[2]"]


def test_a_missing_or_broken_file_has_no_content(tmp_path, decoder):
    decoded, file = DecodedFiles(decoder), tmp_path / "a"
    assert decoded.read(file) is None

    file.write_bytes(b"[1]")
    assert decoded.read(file) == [1]
    file.write_bytes(b"[1")

    assert decoded.read(file) is None


def test_a_removed_file_is_forgotten(tmp_path, decoder):
    decoded, stays, goes = DecodedFiles(decoder), tmp_path / "a", tmp_path / "b"
    for file in (stays, goes):
        file.write_bytes(b"[1]")
        decoded.read(file)

    goes.unlink()
    decoded.forget_missing()

    assert list(decoded._known) == [stays]
