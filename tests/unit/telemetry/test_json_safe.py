import json
import math
from collections import ChainMap
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.json_safe import dumps, loads, without_surrogates


class Sulky:
    def __str__(self):
        raise RuntimeError("no text for you")

    __repr__ = __str__


class Colour(Enum):
    RED = "red"


def kept(metadata):
    return loads(dumps(metadata))


def its_type(value):
    return type(value).__name__


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), JSON, max_size=5))
def test_what_json_can_hold_comes_back_as_it_was(metadata):
    assert kept(metadata) == metadata


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_any_text_can_be_written_to_any_database_once_it_is_clean(text):
    without_surrogates(text).encode("utf-8")

    assert "\x00" not in without_surrogates(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        ({1}, [1]),
        ((1, "a"), [1, "a"]),
        (Colour.RED, "Colour.RED"),
        (Sulky(), "<Sulky>"),
        (ChainMap({"a": 1}), {"a": 1}),
        ("nul\x00 and half \ud800", "nul\ufffd and half ?"),
        (2**70, str(2**70)),
        (10**5000, "<int>"),
        (True, True),
        ({("a", 1): "tuple", None: "none", 3: "three"}, {"('a', 1)": "tuple", "None": "none", "3": "three"}),
    ],
    ids=its_type,
)
def test_what_json_cant_hold_is_kept_as_text(value, expected):
    assert kept({"value": value}) == {"value": expected}


def test_what_contains_itself_is_kept_as_text():
    metadata: dict = {"n": 1}
    metadata["self"] = metadata
    looped: list = []
    looped.append(looped)

    assert kept(metadata) == {"n": 1, "self": "{'n': 1, 'self': {...}}"}
    assert kept({"loop": looped}) == {"loop": ["[[...]]"]}


def test_the_same_value_twice_is_no_loop():
    shared = [1]

    assert kept({"a": shared, "b": shared}) == {"a": [1], "b": [1]}


def test_what_is_nested_too_deep_is_kept_as_text():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]

    assert isinstance(kept({"deep": deep})["deep"], list)
    assert loads("[" * 100_000)["text"].startswith("[[[")


def test_a_container_that_raises_is_kept_as_text():
    class Broken(dict):
        def keys(self):
            raise RuntimeError("broken")

        __iter__ = items = keys

        def __str__(self):
            return "broken"

    assert kept({"value": Broken(a=1), "set": {1}}) == {"value": "broken", "set": [1]}


@pytest.mark.parametrize("attribute", ['{"a": 1, "b"', "[1, 2]", "", "plain"])
def test_a_text_that_is_no_json_object_is_kept_as_text(attribute):
    assert loads(attribute) == {"text": attribute}


def test_attributes_that_are_no_text_are_understood():
    assert loads(None) == {}
    assert loads({"n": 1, "x": (1, math.nan)}) == {"n": 1, "x": [1, "nan"]}
    assert loads(5) == {"text": "5"}


def test_json_that_is_not_json_is_understood():
    assert loads('{"a": NaN, "b": "\\u0000\\ud800"}') == {"a": "nan", "b": "\ufffd?"}


def test_what_is_kept_is_json():
    json.dumps(kept({"a": math.nan, "b": Sulky(), "c": {1: {2}}}), allow_nan=False)
