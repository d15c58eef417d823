import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from service.instruments import MARKETPLACE, ROWS, STATUS, BusinessInstruments
from telemetry.metrics.families import Translator


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def instruments(reader):
    return BusinessInstruments.create(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))


def series(reader):
    data = reader.get_metrics_data()
    metrics = [metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]
    return {family.name: family.series for family in Translator(ROWS).families(metrics)}


def test_advice_begins_at_zero_for_each_marketplace(reader, instruments):
    assert series(reader)["advice_generated_total"] == {'marketplace="wb"': 0, 'marketplace="ozon"': 0}


def test_reviews_and_advice_are_counted_under_the_names_of_the_contract(reader, instruments):
    instruments.reviews_processed.add(3, {MARKETPLACE: "wb", STATUS: "created"})
    instruments.advice_generated.add(1, {MARKETPLACE: "ozon"})

    assert series(reader) == {
        "reviews_processed_total": {'marketplace="wb",status="created"': 3},
        "advice_generated_total": {'marketplace="wb"': 0, 'marketplace="ozon"': 1},
    }


def test_the_service_shows_them_on_its_page(client):
    page = client.get("/metrics").text

    assert 'advice_generated_total{marketplace="wb"} 0\n' in page
    assert "# TYPE reviews_processed_total counter" in page
