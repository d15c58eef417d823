"""A page is valid and true for whatever an application measures."""

import logging
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry.metrics.exposition import OPENMETRICS_CONTENT_TYPE, encode
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.multiprocess.merge import merge
from telemetry.metrics.multiprocess.snapshot import Snapshot
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.vocabulary import VOCABULARY
from tests.support import any_metrics

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
CONTRACT = {mapping.name for mapping in VOCABULARY} | {"target_info"}
CONTRACT |= {name.removesuffix("_total") for name in CONTRACT}


@pytest.fixture(scope="module", autouse=True)
def _silence():
    """Each warning of the SDK about an odd attribute would be kept, and printed."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def page_of(reader, accept=""):
    return MetricsPage(reader.collect_own).render(accept)[0].decode()


def total(families):
    """The sum of all series by kind, without those of the contract, which the application has no part in."""
    found = Counter()
    for family in families:
        for sample in family.samples:
            is_value = sample.name.endswith("_sum") if family.type == "histogram" else True
            if is_value and family.name not in CONTRACT:
                found[family.type] += sample.value
    return {kind: value for kind, value in found.items() if value}


def no_series_twice(families):
    series = [(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples]
    return len(series) == len({*series})


@settings(deadline=None, max_examples=25, suppress_health_check=[*HealthCheck])
@given(any_metrics.applications)
def test_the_page_is_valid_and_shows_the_sum_of_what_was_measured(application):
    reader = FamilyReader()
    provider = MeterProvider(
        [reader], Resource({"a.b": "ü\ud800", "a_b": 2**70, "цена": b"\xff"}), shutdown_on_exit=False
    )
    truth = any_metrics.measure(LimitedMeterProvider(provider), application)

    text, openmetrics = page_of(reader), page_of(reader, OPENMETRICS)
    provider.shutdown()
    as_text, as_openmetrics = [*parse_text(text)], [*parse_openmetrics(openmetrics)]

    assert no_series_twice(as_text)
    assert no_series_twice(as_openmetrics)
    assert total(as_openmetrics) == {kind: value for kind, value in truth.items() if value}
    assert total(as_text) == total(as_openmetrics)


@settings(deadline=None, max_examples=12, suppress_health_check=[*HealthCheck])
@given(st.lists(any_metrics.applications, min_size=2, max_size=3))
def test_the_page_of_workers_that_disagree_is_valid_and_shows_what_all_of_them_added(applications):
    truth, snapshots = Counter(), []
    for number, application in enumerate(applications):
        reader = FamilyReader()
        provider = MeterProvider([reader], Resource({}), shutdown_on_exit=False)
        truth += any_metrics.measure(LimitedMeterProvider(provider), application)
        snapshots.append(Snapshot.decode(Snapshot(str(number), number, reader.collect_own()).encode()))
        provider.shutdown()

    as_text = [*parse_text(encode(merge(snapshots, [])).decode())]
    as_openmetrics = [*parse_openmetrics(encode(merge(snapshots, []), OPENMETRICS_CONTENT_TYPE).decode())]

    assert no_series_twice(as_text)
    assert no_series_twice(as_openmetrics)
    for kind in ("counter", "histogram"):
        assert total(as_text).get(kind, 0) == total(as_openmetrics).get(kind, 0) == truth[kind]
