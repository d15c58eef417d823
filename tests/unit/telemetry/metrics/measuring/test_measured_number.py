from decimal import Decimal
from fractions import Fraction

import pytest
from opentelemetry.metrics import Observation

from telemetry.metrics.measuring import measured_number
from telemetry.metrics.measuring.measured_number import NotANumber, plain_number

BROWN, WHITE = ((("colour", colour),) for colour in ("brown", "white"))


class Index:
    def __float__(self):
        return 2.5


class Odd:
    def __str__(self):
        raise RuntimeError("not even a text")

    __repr__ = __str__


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    monkeypatch.setattr(measured_number, "_refused", set())
    monkeypatch.setattr("telemetry.failsafe._warned", set())


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        (1.5, 1.5),
        (True, 1),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 2), 0.5),
        (Index(), 2.5),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(2**70), float(-(2**70))),
    ],
)
def test_what_is_a_number_becomes_an_int_or_a_float(value, number):
    assert (plain_number(value), type(plain_number(value))) == (number, type(number))


@pytest.mark.parametrize(
    "value",
    [None, "1", b"1", bytearray(b"1"), memoryview(b"1"), 1j, [1], {}, 10**400, Decimal("sNaN"), object(), Odd()],
)
def test_what_is_none_is_refused(value):
    with pytest.raises(NotANumber):
        plain_number(value)


KINDS = [("counter", "add"), ("up_down_counter", "add"), ("histogram", "record"), ("gauge", "set")]


@pytest.mark.parametrize(("kind", "method"), KINDS)
@pytest.mark.parametrize("value", [None, "1", 1j, 10**400, Odd()])
def test_nothing_reaches_the_code_that_measures_and_it_is_said_once(stage, caplog, kind, method, value):
    measure = getattr(getattr(stage.meter, f"create_{kind}")("eggs"), method)
    measure(2, {"colour": "brown"})

    for _ in range(3):
        measure(value, {"colour": "brown"})
    measure(Decimal(3), {"colour": "white"})

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "eggs was given " in caplog.text
    assert "which is no number that it can take" in caplog.text
    name = {"counter": "eggs_total", "histogram": "eggs_sum"}.get(kind, "eggs")
    assert stage.series(name) == {BROWN: 2, WHITE: 3}


@pytest.mark.parametrize("attributes", ["colour", [("colour", "brown")], 5, {"colour": Odd()}])
def test_neither_do_attributes_that_are_none(stage, caplog, attributes):
    counter = stage.meter.create_counter("eggs")

    counter.add(1, attributes)
    counter.add(1, attributes)
    counter.add(1, {"colour": "brown"})

    assert [record.levelname for record in caplog.records if record.name == "telemetry.failsafe"] == ["WARNING"]
    assert stage.series("eggs_total") == {BROWN: 1}


def test_one_odd_observation_costs_no_other(stage):
    values = {"brown": Decimal("1.5"), "white": None, "blue": 2**70, "red": 4}
    stage.meter.create_observable_gauge(
        "eggs", [lambda _options: [Observation(value, {"colour": colour}) for colour, value in values.items()]]
    )

    assert sorted(stage.series("eggs").values()) == [1.5, 4, float(2**70)]
