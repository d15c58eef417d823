import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from service.instruments import METRIC_MAPPINGS, TOKEN_BUCKETS, ServiceInstruments
from service.names import (
    BACKOFF,
    CHECKS,
    COST,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_TOKEN_TYPE,
    MARKETPLACE,
    OUTCOME,
    OUTCOMES,
    STATUS,
)
from telemetry import semconv
from telemetry.metrics.families import Translator
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def instruments(reader):
    return ServiceInstruments.create(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))


def metrics_of(reader):
    data = reader.get_metrics_data()
    return [metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]


def series(reader):
    return {family.name: family.series for family in Translator(METRIC_MAPPINGS).translate(metrics_of(reader))}


def not_zero(reader):
    """What was counted, without the series that only began."""
    return {
        name: {labels: value for labels, value in found.items() if value}
        for name, found in series(reader).items()
        if any(found.values())
    }


def test_advice_begins_at_zero_for_each_marketplace(reader, instruments):
    assert series(reader)["advice_generated_total"] == {'marketplace="wb"': 0, 'marketplace="ozon"': 0}


def test_drafts_begin_at_zero_for_each_marketplace_and_outcome(reader, instruments):
    found = series(reader)["advice_drafts_total"]

    assert set(found.values()) == {0}
    assert set(found) == {
        f'marketplace="{marketplace}",outcome="{outcome}"' for marketplace in ("wb", "ozon") for outcome in OUTCOMES
    }
    assert len(found) == 22


def test_checks_of_drafts_begin_at_zero_for_each_reason(reader, instruments):
    assert series(reader)["draft_checks_total"] == {f'reason="{reason}"': 0 for reason in CHECKS}


def test_waits_begin_at_zero_for_each_service_and_reason(reader, instruments):
    assert series(reader)["external_api_wait_seconds_total"] == {
        f'service="{service}",reason="{reason}"': 0
        for service in ("wb", "ozon", "openai")
        for reason in ("pace", "backoff")
    }


@pytest.mark.parametrize("name", ["invalid_rows_total", "odd_rows_total"])
def test_invalid_and_odd_rows_begin_at_zero_for_each_source(reader, instruments, name):
    assert series(reader)[name] == {
        f'source="{source}"': 0 for source in ("wb.reviews", "wb.orders", "ozon.reviews", "ozon.orders")
    }


def test_nothing_else_is_said_before_it_happened(reader, instruments):
    found = series(reader)

    assert {name for name, labels in found.items() if not labels} == {
        "reviews_processed_total",
        "orders_processed_total",
        "openai_cost_usd_total",
        "scheduler_ticks_skipped_total",
        "scheduler_runs_missed_total",
        "scheduler_runs_overdue_total",
        "source_age_seconds",
        "reviews_waiting",
        "reviews_waiting_oldest_age_seconds",
        "reviews_without_draft",
        "rate_limited_until_timestamp_seconds",
        "credential_expiry_timestamp_seconds",
        "scheduler_job_suspended",
        "job_paused",
    }


def test_what_happens_is_counted_under_the_names_of_the_contract(reader, instruments):
    instruments.reviews_processed.add(3, {MARKETPLACE: "wb", STATUS: "created"})
    instruments.orders_processed.add(2, {MARKETPLACE: "ozon", STATUS: "updated"})
    instruments.advice_generated.add(1, {MARKETPLACE: "ozon"})
    instruments.drafts.add(1, {MARKETPLACE: "ozon", OUTCOME: "refused"})
    instruments.cost.add(0.25, {GEN_AI_REQUEST_MODEL: "gpt-5.4-mini"})
    instruments.ticks_skipped.add(1, {semconv.JOB_NAME: "sync_wb_orders"})
    instruments.runs_missed.add(2, {semconv.JOB_NAME: "sync_wb_orders"})
    instruments.runs_overdue.add(1, {semconv.JOB_NAME: "sync_ozon_orders"})
    instruments.call_waits.add(1.5, {semconv.PEER_SERVICE: "openai", semconv.REASON: BACKOFF})

    assert not_zero(reader) == {
        "reviews_processed_total": {'marketplace="wb",status="created"': 3},
        "orders_processed_total": {'marketplace="ozon",status="updated"': 2},
        "advice_generated_total": {'marketplace="ozon"': 1},
        "advice_drafts_total": {'marketplace="ozon",outcome="refused"': 1},
        "openai_cost_usd_total": {'model="gpt-5.4-mini"': 0.25},
        "external_api_wait_seconds_total": {'service="openai",reason="backoff"': 1.5},
        "scheduler_ticks_skipped_total": {'job_name="sync_wb_orders"': 1},
        "scheduler_runs_missed_total": {'job_name="sync_wb_orders"': 2},
        "scheduler_runs_overdue_total": {'job_name="sync_ozon_orders"': 1},
    }


def test_costs_are_in_dollars_and_waits_are_in_seconds(reader, instruments):
    instruments.cost.add(0.25, {GEN_AI_REQUEST_MODEL: "gpt-5.4-mini"})

    units = {metric.name: metric.unit for metric in metrics_of(reader)}

    assert (units[COST], units["external.api.wait"]) == ("USD", "s")


def test_the_buckets_of_tokens_pass_through_the_limit_of_label_sets(reader):
    limited = LimitedMeterProvider(MeterProvider([reader], shutdown_on_exit=False))

    ServiceInstruments.create(limited.get_meter("tests")).token_usage.record(300, {GEN_AI_TOKEN_TYPE: "input"})

    (tokens,) = [metric for metric in metrics_of(reader) if metric.name == "gen_ai.client.token.usage"]
    assert tokens.data.data_points[0].explicit_bounds == TOKEN_BUCKETS
    assert TOKEN_BUCKETS[:5] == (1, 4, 16, 64, 256)
    assert TOKEN_BUCKETS[-1] == 67_108_864


def test_the_service_shows_them_on_its_page(client):
    page = client.get("/metrics").text

    assert 'advice_generated_total{marketplace="wb"} 0\n' in page
    assert 'advice_drafts_total{marketplace="ozon",outcome="quota"} 0\n' in page
    assert 'external_api_wait_seconds_total{service="openai",reason="pace"} 0\n' in page
    assert "# TYPE reviews_processed_total counter" in page
    assert "# TYPE openai_cost_usd_total counter" in page


def test_the_page_shows_tokens_with_the_buckets_of_the_conventions(client):
    client.app.state.runtime.instruments.token_usage.record(300, {GEN_AI_TOKEN_TYPE: "input"})

    page = client.get("/metrics").text

    assert "# TYPE gen_ai_client_token_usage histogram" in page
    assert 'gen_ai_client_token_usage_bucket{gen_ai_token_type="input",le="256.0"} 0\n' in page
    assert 'gen_ai_client_token_usage_bucket{gen_ai_token_type="input",le="1024.0"} 1\n' in page
