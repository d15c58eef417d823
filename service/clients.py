"""The clients of all external services, made from the settings when they are first needed."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from sqlalchemy.engine import Engine

from service.advice.drafter import Drafter
from service.database.clock import utcnow
from service.instruments import ServiceInstruments
from service.integrations.http.client import MAX_WAIT_SECONDS, ApiClient, ApiDescription
from service.integrations.http.errors import NotConfigured
from service.integrations.http.rate_limiter import RateLimit, RateLimiter
from service.integrations.http.sleep import InstrumentedSleep
from service.integrations.marketplace import ReviewMarketplace
from service.integrations.openai.client import make_client
from service.integrations.ozon.client import ozon_api
from service.integrations.ozon.marketplace import OzonOrders, OzonReviews
from service.integrations.telegram import telegram_api
from service.integrations.wildberries.client import feedbacks_api, statistics_api
from service.integrations.wildberries.credentials import WildberriesToken
from service.integrations.wildberries.marketplace import WildberriesOrders, WildberriesReviews
from service.names import OPENAI, OZON, WB
from service.reviews.product_names import known_names
from service.settings import REQUIRED_VARIABLES, Settings

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


BACKGROUND_PATIENCE: Final = MAX_WAIT_SECONDS
INTERACTIVE_PATIENCE: Final = 15.0
"""Seconds that a call may wait for its turn, in all: of a job, and of a request that a client waits for."""
_OPENAI_INTERVAL: Final = 0.02


class Clients:
    """Each attribute is a client. Without the variables that it requires, it raises `NotConfigured`.

    Safe in several threads: at the worst a client is made twice.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        instruments: ServiceInstruments,
        sleep: InstrumentedSleep,
        patience: float = BACKGROUND_PATIENCE,
    ) -> None:
        """`patience` is how long a call may wait for its turn, in seconds."""
        self._settings = settings
        self._engine = engine
        self._instruments = instruments
        self._sleep = sleep
        self._patience = patience
        self._rate_limiter = RateLimiter(engine)
        self._on_close: list[Callable[[], None]] = []

    def close(self) -> None:
        for close in self._on_close:
            close()

    def interactive(self, engine: Engine) -> "Clients":
        """New clients for requests and commands: they wait for seconds, and the stop signal does not end their waits."""
        clients = Clients(self._settings, engine, self._instruments, self._sleep.until_answered(), INTERACTIVE_PATIENCE)
        self._on_close.append(clients.close)
        return clients

    def reviews(self, marketplace: str) -> ReviewMarketplace:
        """Raises:
        NotConfigured: the marketplace's variables are not set.
        """
        by_name: Mapping[str, Callable[[], ReviewMarketplace]] = {
            WB: lambda: self.wb_reviews,
            OZON: lambda: self.ozon_reviews,
        }
        return by_name[marketplace]()

    @cached_property
    def wb_token(self) -> WildberriesToken:
        [token] = self._credentials(WB)
        return WildberriesToken.parse(token, has_secret=self._wb_secret is not None)

    @cached_property
    def wb_feedbacks(self) -> ApiClient:
        [token] = self._credentials(WB)
        return self._client(feedbacks_api(self._settings.wb_feedbacks_url, token, self._wb_secret))

    @cached_property
    def wb_statistics(self) -> ApiClient:
        [token] = self._credentials(WB)
        return self._client(statistics_api(self._settings.wb_statistics_url, token, self._wb_secret))

    @property
    def _wb_secret(self) -> str | None:
        secret = self._settings.wb_client_secret
        return None if secret is None else secret.get_secret_value()

    @cached_property
    def wb_reviews(self) -> WildberriesReviews:
        return WildberriesReviews(self.wb_feedbacks, self.wb_token.feedbacks_limit, utcnow)

    @cached_property
    def wb_orders(self) -> WildberriesOrders:
        return WildberriesOrders(self.wb_statistics, self.wb_token.orders_limit, utcnow)

    @cached_property
    def ozon(self) -> ApiClient:
        client_id, key = self._credentials(OZON)
        return self._client(ozon_api(self._settings.ozon_api_url, client_id, key))

    @cached_property
    def ozon_reviews(self) -> OzonReviews:
        return OzonReviews(self.ozon, known_names(self._engine, OZON), utcnow)

    @cached_property
    def ozon_orders(self) -> OzonOrders:
        return OzonOrders(self.ozon, utcnow)

    @cached_property
    def openai_client(self) -> "openai.OpenAI":
        key, _model = self._credentials(OPENAI)
        client = make_client(key, self._settings.openai_base_url)
        self._on_close.append(client.close)
        return client

    @cached_property
    def drafter(self) -> Drafter:
        key, model = self._credentials(OPENAI)
        return Drafter(
            self.openai_client,
            model,
            self._rate_limiter,
            RateLimit(f"openai:{hashlib.sha256(key.encode()).hexdigest()[:8]}", _OPENAI_INTERVAL, burst=10),
            self._sleep.for_service(OPENAI),
            self._instruments,
            max_output_tokens=self._settings.openai_max_output_tokens,
            reasoning_effort=self._settings.openai_reasoning_effort,
            patience=self._patience,
        )

    @cached_property
    def telegram(self) -> ApiClient:
        return self._client(telegram_api(self._settings.telegram_api_url))

    def _client(self, api: ApiDescription) -> ApiClient:
        client = ApiClient(
            api,
            self._rate_limiter,
            self._sleep.for_service(api.service),
            self._patience,
            partial(self._instruments.count_unreadable, api.service),
        )
        self._on_close.append(client.close)
        return client

    def _credentials(self, service: str) -> list[str]:
        """The values of the variables that the service requires, in their order.

        Raises:
            NotConfigured: one of them is not set.
        """
        if unset := self._settings.unconfigured().get(service):
            raise NotConfigured(f"{unset[-1]} is not set.")
        values = [getattr(self._settings, variable.lower()) for variable in REQUIRED_VARIABLES[service]]
        return [value.get_secret_value() if isinstance(value, SecretStr) else value for value in values]
