import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry.metrics.exposition import (
    OPENMETRICS_CONTENT_TYPE,
    TEXT_CONTENT_TYPE,
    encode,
    format_number,
)
from telemetry.metrics.families import Family, HistogramValue
from telemetry.metrics.labels import pairs

PARSERS = {TEXT_CONTENT_TYPE: parse_text, OPENMETRICS_CONTENT_TYPE: parse_openmetrics}


def lines_of(*families, content_type=TEXT_CONTENT_TYPE):
    return encode(families, content_type).decode().splitlines()


def gauge(**series):
    return Family("room", "gauge", "A room.", series)


def test_a_family_is_its_help_its_type_and_its_series():
    family = Family("orders_total", "counter", "Orders.", {'shop="wb"': 3, 'shop="ozon"': 2.5})

    assert lines_of(family) == [
        "# HELP orders_total Orders.",
        "# TYPE orders_total counter",
        'orders_total{shop="wb"} 3',
        'orders_total{shop="ozon"} 2.5',
    ]


def test_a_counter_that_is_not_called_total_has_no_type_in_openmetrics():
    counter = Family("orders", "counter", "Orders.", {"": 3})

    assert lines_of(counter)[1:] == ["# TYPE orders counter", "orders 3"]
    lines = lines_of(counter, content_type=OPENMETRICS_CONTENT_TYPE)
    assert lines[1:] == ["# TYPE orders unknown", "orders 3", "# EOF"]
    assert [family.type for family in parse_openmetrics("\n".join(lines) + "\n")] == ["unknown"]


def test_a_series_without_labels_has_no_braces():
    assert lines_of(gauge(**{"": 1}))[-1] == "room 1"


def test_a_family_without_series_is_declared():
    assert lines_of(gauge()) == ["# HELP room A room.", "# TYPE room gauge"]


def test_a_histogram_is_cumulative_and_its_last_bucket_is_its_count():
    family = Family("wait_seconds", "histogram", "Waits.")
    family.histograms['shop="wb"'] = HistogramValue((0.1, 1.0, 10.0), [1, 2, 0, 4], 99.5)

    assert lines_of(family)[2:] == [
        'wait_seconds_bucket{shop="wb",le="0.1"} 1',
        'wait_seconds_bucket{shop="wb",le="1.0"} 3',
        'wait_seconds_bucket{shop="wb",le="10.0"} 3',
        'wait_seconds_bucket{shop="wb",le="+Inf"} 7',
        'wait_seconds_sum{shop="wb"} 99.5',
        'wait_seconds_count{shop="wb"} 7',
    ]


def test_a_histogram_without_labels_has_only_its_bounds():
    family = Family("wait_seconds", "histogram", "Waits.", histograms={"": HistogramValue((1.0,), [1, 0], 0.5)})

    assert lines_of(family)[2:] == [
        'wait_seconds_bucket{le="1.0"} 1',
        'wait_seconds_bucket{le="+Inf"} 1',
        "wait_seconds_sum 0.5",
        "wait_seconds_count 1",
    ]


@pytest.mark.parametrize(
    ("bound", "written"),
    [(1, "1.0"), (0.005, "0.005"), (10.0, "10.0"), (1e6, "1e+06"), (0.00001, "1e-05"), (2.5, "2.5"), (0.0, "0.0")],
)
def test_bounds_are_written_as_prometheus_writes_them(bound, written):
    family = Family("wait", "histogram", "Waits.", histograms={"": HistogramValue((bound,), [1, 0], 0.5)})

    assert f'wait_bucket{{le="{written}"}} 1' in lines_of(family)
    assert list(parse_openmetrics(encode([family], OPENMETRICS_CONTENT_TYPE).decode()))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3, "3"),
        (3.0, "3.0"),
        (0.1, "0.1"),
        (-2, "-2"),
        (1e22, "1e+22"),
        (2**60, str(2**60)),
        (True, "1"),
        (Fraction(1, 4), "0.25"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_numbers_are_written_so_that_nothing_of_them_is_lost(value, written):
    assert format_number(value) == written


@pytest.mark.parametrize("content_type", PARSERS)
@settings(max_examples=40, deadline=None)
@given(value=st.floats() | st.integers(-(2**53), 2**53))
def test_a_number_comes_back_as_it_was(content_type, value):
    [family] = PARSERS[content_type](encode([gauge(**{"": value})], content_type).decode())

    [sample] = family.samples
    assert sample.value == value or (math.isnan(sample.value) and math.isnan(value))


@pytest.mark.parametrize("content_type", PARSERS)
@pytest.mark.parametrize(
    "value", ['a "quoted" word', r"C:\new", "two\nlines", "\\", '"', "\\n", 'x"} 1', "Отзыв 👍", "", "a,b=c{}", " x "]
)
def test_a_label_comes_back_as_it_was(content_type, value):
    [family] = PARSERS[content_type](encode([gauge(**{pairs({"path": value}): 1})], content_type).decode())

    [sample] = family.samples
    assert sample.labels == {"path": value}


@settings(max_examples=40, deadline=None)
@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_any_label_comes_back_as_it_was(value):
    [family] = parse_text(encode([gauge(**{pairs({"a": value, "b": "x"}): 1})]).decode())

    assert family.samples[0].labels == {"a": value, "b": "x"}


def test_an_invalid_label_does_not_break_the_exposition():
    page = encode([gauge(**{pairs({"path": "caf\udce9"}): 1})])

    [family] = parse_text(page.decode())
    assert family.samples[0].labels == {"path": "caf\ufffd"}


@pytest.mark.parametrize("content_type", PARSERS)
def test_a_help_text_may_have_lines_and_backslashes(content_type):
    text = encode([Family("room", "gauge", "A room\nin C:\\new.", {"": 1})], content_type).decode()

    [family] = PARSERS[content_type](text)

    assert r"# HELP room A room\nin C:\\new." in text.splitlines()
    assert family.documentation == "A room\nin C:\\new."


def test_openmetrics_names_a_counters_family_without_total_and_ends_with_eof():
    family = Family("orders_total", "counter", "Orders.", {'shop="wb"': 3})

    assert lines_of(family, content_type=OPENMETRICS_CONTENT_TYPE) == [
        "# HELP orders Orders.",
        "# TYPE orders counter",
        'orders_total{shop="wb"} 3',
        "# EOF",
    ]


def test_openmetrics_of_nothing_is_its_end():
    assert lines_of(content_type=OPENMETRICS_CONTENT_TYPE) == ["# EOF"]
