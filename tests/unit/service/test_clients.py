from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from service.clients import BACKGROUND_PATIENCE, INTERACTIVE_PATIENCE, Clients
from service.instruments import METRIC_MAPPINGS, ServiceInstruments
from service.integrations.http.errors import NotConfigured
from service.integrations.http.sleep import InstrumentedSleep
from service.names import OPENAI, OZON, WB
from service.reviews.repository import ReviewRepository
from service.sandbox.credentials import BASE, wb_token
from service.settings import Settings
from service.shutdown import StopSignal
from telemetry.database import transaction
from telemetry.metrics.families import Translator
from tests.support.fakes import NOON, a_review

WAITED = "external_api_wait_seconds_total"
CLIENTS = ("wb_feedbacks", "wb_statistics", "ozon", "telegram")
EVERYTHING = (
    "wb_token", "wb_reviews", "wb_orders", "ozon_reviews", "ozon_orders", "openai_client", "drafter", *CLIENTS,
)  # fmt: skip
KEYS = {
    "wb_api_token": wb_token(),
    "ozon_client_id": "1000001",
    "ozon_api_key": "an-api-key-of-ozon",
    "openai_api_key": "sk-proj-canary",
    "openai_model": "gpt-5.4-mini",
}


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def instruments(reader):
    return ServiceInstruments.create(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))


@pytest.fixture
def clients_of(sqlite_engine, instruments):
    made = []

    def make(*patience, **settings):
        waiting = InstrumentedSleep(StopSignal(), instruments.count_wait)
        made.append(Clients(Settings(**settings), sqlite_engine, instruments, waiting, *patience))
        return made[-1]

    yield make
    for clients in made:
        clients.close()


def test_each_client_is_made_once(clients_of):
    clients = clients_of(**KEYS)

    first = [getattr(clients, name) for name in EVERYTHING]
    second = [getattr(clients, name) for name in EVERYTHING]

    assert all(one is other for one, other in zip(first, second, strict=True))


def test_nothing_is_made_before_somebody_asks_for_it(clients_of):
    clients = clients_of(**KEYS)

    assert not clients._on_close
    assert set(EVERYTHING).isdisjoint(vars(clients))


def test_the_reviews_of_a_marketplace_are_asked_for_by_its_name(clients_of):
    clients = clients_of(**KEYS)

    assert clients.reviews(WB) is clients.wb_reviews
    assert clients.reviews(OZON) is clients.ozon_reviews
    assert [clients.reviews(name).name for name in (WB, OZON)] == [WB, OZON]


@pytest.mark.parametrize(
    ("name", "without", "variable"),
    [
        ("wb_token", "wb_api_token", "WB_API_TOKEN"),
        ("wb_reviews", "wb_api_token", "WB_API_TOKEN"),
        ("wb_orders", "wb_api_token", "WB_API_TOKEN"),
        ("ozon_reviews", "ozon_api_key", "OZON_API_KEY"),
        ("ozon_orders", "ozon_client_id", "OZON_CLIENT_ID"),
        ("openai_client", "openai_api_key", "OPENAI_API_KEY"),
        ("drafter", "openai_api_key", "OPENAI_API_KEY"),
        ("drafter", "openai_model", "OPENAI_MODEL"),
    ],
)
def test_what_is_not_configured_names_its_variable_and_keeps_nothing_else_away(clients_of, name, without, variable):
    clients = clients_of(**{key: value for key, value in KEYS.items() if key != without})

    with pytest.raises(NotConfigured, match=rf"^{variable} is not set\.$"):
        getattr(clients, name)

    assert clients.telegram.api.service == "telegram"


def test_the_reviews_of_a_marketplace_without_its_variables_say_so_too(clients_of):
    with pytest.raises(NotConfigured, match="OZON_API_KEY"):
        clients_of().reviews(OZON)


def test_closing_closes_all_that_was_opened_and_only_that(clients_of):
    clients = clients_of(**KEYS)
    opened = [getattr(clients, name) for name in CLIENTS]
    openai = clients.openai_client

    clients.close()

    assert all(client._client.is_closed for client in opened)
    assert openai.is_closed()
    clients_of(**KEYS).close()


def test_each_goes_where_its_variable_says(clients_of):
    urls = {
        "wb_feedbacks_url": "http://127.0.0.1:1/f",
        "wb_statistics_url": "http://127.0.0.1:1/s",
        "ozon_api_url": "http://127.0.0.1:1/o",
        "telegram_api_url": "http://127.0.0.1:1/t",
    }

    more = {"openai_max_output_tokens": 77, "openai_reasoning_effort": "high"}
    clients = clients_of(**KEYS, **urls, openai_base_url="http://127.0.0.1:1/v1", **more)

    assert [getattr(clients, name).api.base_url for name in CLIENTS] == list(urls.values())
    assert str(clients.openai_client.base_url) == "http://127.0.0.1:1/v1/"
    assert (clients.drafter.model, clients.drafter.max_output_tokens) == ("gpt-5.4-mini", 77)
    assert clients.drafter.reasoning_effort == "high"
    assert clients.drafter.client is clients.openai_client


@pytest.mark.parametrize(
    ("given", "patience"), [((), BACKGROUND_PATIENCE), ((INTERACTIVE_PATIENCE,), INTERACTIVE_PATIENCE)]
)
def test_a_call_waits_for_its_slot_no_longer_than_the_patience(clients_of, given, patience):
    clients = clients_of(*given, **KEYS)

    assert {getattr(clients, name).patience for name in (*CLIENTS, "drafter")} == {patience}


def test_interactive_clients_have_less_patience_and_are_closed_with_the_others(clients_of):
    clients = clients_of(**KEYS)

    interactive = clients.interactive(clients._engine)
    opened = interactive.wb_feedbacks
    clients.close()

    assert (opened.patience, clients.telegram.patience) == (INTERACTIVE_PATIENCE, BACKGROUND_PATIENCE)
    assert opened._client.is_closed


def test_two_accounts_have_a_pace_each_and_no_key_is_told_by_it(clients_of):
    limits = [clients_of(**KEYS | {"openai_api_key": key}).drafter.rate_limit for key in ("sk-proj-one", "sk-proj-two")]

    assert limits[0] != limits[1]
    assert all(limit.key.startswith("openai:") and "sk-proj" not in limit.key for limit in limits)


def test_names_of_products_that_reviews_have_told_are_known_to_ozon(clients_of, sqlite_engine):
    with transaction(sqlite_engine) as session:
        told = a_review(1, marketplace="ozon", product_id="11", product_name="Scarf")
        ReviewRepository(session).save([told], NOON)

    named = clients_of(**KEYS).ozon_reviews._names

    assert named._known(["11"]) == {"11": "Scarf"}


def test_what_is_read_is_as_of_now_in_utc(clients_of):
    clients = clients_of(**KEYS)

    for source in (clients.wb_reviews, clients.wb_orders, clients.ozon_reviews, clients.ozon_orders):
        moment = source._now()
        assert moment.tzinfo is UTC
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 5


def test_waits_are_counted_by_service_and_reason(reader, instruments):
    instruments.count_wait(WB, "pace", 1.5)
    instruments.count_wait(WB, "pace", 2.0)
    instruments.count_wait(OPENAI, "backoff", 4.0)

    data = reader.get_metrics_data()
    metrics = [metric for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics]
    [seconds] = [family.series for family in Translator(METRIC_MAPPINGS).translate(metrics) if family.name == WAITED]
    assert {labels: value for labels, value in seconds.items() if value} == {
        'service="wb",reason="pace"': 3.5,
        'service="openai",reason="backoff"': 4.0,
    }


def test_the_secret_of_a_base_token_goes_to_both_apis_and_lifts_their_limits(clients_of):
    with_secret, without = (
        clients_of(wb_api_token=wb_token(BASE), wb_client_secret=secret) for secret in ("a-client-secret", None)
    )

    for name in ("wb_feedbacks", "wb_statistics"):
        assert getattr(with_secret, name).api.headers["x-client-secret"] == "a-client-secret"
        assert "x-client-secret" not in getattr(without, name).api.headers
    assert with_secret.wb_token.feedbacks_limit.interval < 1 < without.wb_token.feedbacks_limit.interval
