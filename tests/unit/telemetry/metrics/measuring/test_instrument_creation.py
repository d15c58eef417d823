import math

import pytest
from opentelemetry.metrics import Observation

from telemetry.metrics.measuring import instrument_creation, measured_number
from telemetry.metrics.measuring.instrument_creation import checked_bounds

SYNCHRONOUS = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}
OBSERVABLE = ("observable_counter", "observable_up_down_counter", "observable_gauge")


class Odd:
    def __str__(self):
        raise RuntimeError("not even a text")

    __repr__ = __str__


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    monkeypatch.setattr(instrument_creation, "_refused", set())
    monkeypatch.setattr(measured_number, "_refused", set())


REFUSED = {
    "a name with a space": ("two words", {}),
    "a name of another script": ("яйца", {}),
    "no name": ("", {}),
    "a digit first": ("1st", {}),
    "a long name": ("n" * 256, {}),
    "a name that is None": (None, {}),
    "a name that is a number": (5, {}),
    "a name that is a list": (["eggs"], {}),
    "a name that has no text": (Odd(), {}),
    "a lone surrogate": ("eggs\ud800", {}),
    "a newline at the end": ("eggs\n", {}),
    "a unit of another script": ("eggs", {"unit": "штук"}),
    "a long unit": ("eggs", {"unit": "u" * 64}),
    "a unit that is a number": ("eggs", {"unit": 5}),
}


@pytest.mark.parametrize("kind", [*SYNCHRONOUS, *OBSERVABLE])
@pytest.mark.parametrize(("name", "arguments"), REFUSED.values(), ids=REFUSED)
def test_a_refused_instrument_measures_nothing_and_one_warning_says_which_and_why(stage, caplog, kind, name, arguments):
    for _ in range(2):
        instrument = getattr(stage.meter, f"create_{kind}")(name, **arguments)
        if kind in SYNCHRONOUS:
            getattr(instrument, SYNCHRONOUS[kind])(1, {"colour": "brown"})

    [warning] = [record.getMessage() for record in caplog.records]
    assert "measures nothing: its " in warning
    assert "is invalid, expected " in warning
    assert stage.series("eggs") == {}


@pytest.mark.parametrize("kind", [*SYNCHRONOUS, *OBSERVABLE])
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"unit": None, "description": None}, "eggs"),
        ({"description": 5}, "eggs"),
        ({"description": "a\ud800\0\n"}, "eggs"),
    ],
)
def test_an_odd_description_refuses_nothing(stage, kind, arguments, shown):
    if kind in SYNCHRONOUS:
        getattr(getattr(stage.meter, f"create_{kind}")("eggs", **arguments), SYNCHRONOUS[kind])(2)
    else:
        getattr(stage.meter, f"create_{kind}")("eggs", [lambda _options: [Observation(2)]], **arguments)

    assert 2.0 in {value for name in (shown, "eggs_total", "eggs_sum") for value in stage.series(name).values()}


@pytest.mark.parametrize("kind", OBSERVABLE)
@pytest.mark.parametrize("callbacks", [lambda _options: [], "text", 5, [None], ["text"], [5]])
def test_callbacks_that_cannot_be_called_are_refused(stage, caplog, kind, callbacks):
    getattr(stage.meter, f"create_{kind}")("eggs", callbacks)
    stage.text()

    [warning] = [record.getMessage() for record in caplog.records]
    assert "Instrument 'eggs' measures nothing: its callback" in warning


def test_a_generator_that_raises_at_its_start_is_refused(stage, caplog):
    def generator():
        yield from iter(1 / 0 for _ in "a")

    stage.meter.create_observable_gauge("eggs", [generator()])

    assert "Instrument 'eggs' measures nothing: ZeroDivisionError: division by zero." in caplog.text


def test_a_secret_in_a_refused_name_is_not_shown(stage, caplog):
    stage.meter.create_counter("eggs sk-proj-Abcdefghijklmnopqrstuvwxyz0123456789abcd")

    assert "Abcdefgh" not in caplog.text
    assert "measures nothing" in caplog.text


@pytest.mark.parametrize(
    "scope",
    [
        (None,),
        ("",),
        (5,),
        (["a"],),
        ("a", 5),
        ("a", "1", 5),
        ("a", "1", "", "text"),
        ("a", None, None, [1]),
        ("\ud800",),
    ],
)
def test_no_scope_keeps_anything_from_being_measured(stage, scope):
    stage.meters.get_meter(*scope).create_counter("eggs").add(1)

    assert stage.series("eggs_total") == {(): 1}


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ([1, 2.5], [1.0, 2.5]),
        ([5, 1, 1.0], [1.0, 5.0]),
        ([math.nan, 1, math.inf, -math.inf, -1, 10**400], [1.0]),
        ([-0.0, 0], [0.0]),
        ([], []),
        (["1"], ["1"]),
        ("text", "text"),
        (None, None),
    ],
)
def test_bounds_are_in_order_and_each_is_there_once(given, used):
    assert checked_bounds(given) == used


@pytest.mark.parametrize(
    "bounds", [[5, 1, 1], [math.nan, 1], [-1, 1], [math.inf], [10**400, 1], ["a"], "text", 5, [], {1: 2}]
)
def test_a_histogram_measures_whatever_its_bounds_are(stage, bounds):
    stage.meter.create_histogram("eggs", explicit_bucket_boundaries_advisory=bounds).record(2)

    assert stage.series("eggs_count") == {(): 1}


@pytest.mark.parametrize("value", [-1, -0.5, math.nan, math.inf, None])
def test_a_counter_that_is_observed_never_is_below_0(stage, caplog, value):
    stage.meter.create_observable_counter(
        "eggs", [lambda _options: [Observation(value), Observation(2, {"colour": "brown"})]]
    )

    assert [stage.series("eggs_total") for _ in range(2)] == [{(("colour", "brown"),): 2}] * 2
    assert len(caplog.records) == 1
