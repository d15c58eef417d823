"""Clients: the clients of all that is called, made from the settings when they are first needed."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from sqlalchemy.engine import Engine

from service.advice.drafter import Drafter
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
from service.integrations.wildberries.orders import WildberriesOrders
from service.integrations.wildberries.reviews import WildberriesReviews
from service.names import OPENAI, OZON, WB
from service.reviews.product_names import known_names
from service.settings import Settings

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


BACKGROUND_PATIENCE: Final = MAX_WAIT_SECONDS
INTERACTIVE_PATIENCE: Final = 15.0
"""Seconds that somebody at the other end of a request is let wait for a turn."""
_OPENAI_INTERVAL: Final = 0.02


def _utcnow() -> datetime:
    return datetime.now(UTC)


class Clients:
    """What is asked for without its variables raises `NotConfigured`. `patience` is how long a call may wait for its turn.

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
        self._settings = settings
        self._engine = engine
        self._instruments = instruments
        self._sleep = sleep
        self._patience = patience
        self._pace = RateLimiter(engine)
        self._opened: list[Callable[[], None]] = []

    def close(self) -> None:
        for close in self._opened:
            close()

    @cached_property
    def interactive(self) -> "Clients":
        """The clients for requests and commands, with less patience. They are closed with these."""
        interactive = Clients(
            self._settings, self._engine, self._instruments, self._sleep.until_answered(), INTERACTIVE_PATIENCE
        )
        self._opened.append(interactive.close)
        return interactive

    def reviews(self, marketplace: str) -> ReviewMarketplace:
        """Raises:
        NotConfigured: the marketplace's variables are not set.
        """
        made: Mapping[str, Callable[[], ReviewMarketplace]] = {
            WB: lambda: self.wb_reviews,
            OZON: lambda: self.ozon_reviews,
        }
        return made[marketplace]()

    @cached_property
    def wb_token(self) -> WildberriesToken:
        return WildberriesToken.read(_secret(self._settings.wb_api_token, "WB_API_TOKEN"))

    @cached_property
    def wb_feedbacks(self) -> ApiClient:
        token = _secret(self._settings.wb_api_token, "WB_API_TOKEN")
        return self._client(feedbacks_api(self._settings.wb_feedbacks_url, token))

    @cached_property
    def wb_statistics(self) -> ApiClient:
        token = _secret(self._settings.wb_api_token, "WB_API_TOKEN")
        return self._client(statistics_api(self._settings.wb_statistics_url, token))

    @cached_property
    def wb_reviews(self) -> WildberriesReviews:
        return WildberriesReviews(self.wb_feedbacks, self.wb_token.feedbacks, _utcnow)

    @cached_property
    def wb_orders(self) -> WildberriesOrders:
        return WildberriesOrders(self.wb_statistics, self.wb_token.orders, _utcnow)

    @cached_property
    def ozon(self) -> ApiClient:
        key = _secret(self._settings.ozon_api_key, "OZON_API_KEY")
        if self._settings.ozon_client_id is None:
            raise NotConfigured("OZON_CLIENT_ID is not set.")
        return self._client(ozon_api(self._settings.ozon_api_url, self._settings.ozon_client_id, key))

    @cached_property
    def ozon_reviews(self) -> OzonReviews:
        return OzonReviews(self.ozon, known_names(self._engine, OZON), _utcnow)

    @cached_property
    def ozon_orders(self) -> OzonOrders:
        return OzonOrders(self.ozon, _utcnow)

    @cached_property
    def openai_client(self) -> "openai.OpenAI":
        client = make_client(_secret(self._settings.openai_api_key, "OPENAI_API_KEY"), self._settings.openai_base_url)
        self._opened.append(client.close)
        return client

    @cached_property
    def drafter(self) -> Drafter:
        if self._settings.openai_model is None:
            raise NotConfigured("OPENAI_MODEL is not set.")
        key = _secret(self._settings.openai_api_key, "OPENAI_API_KEY")
        return Drafter(
            self.openai_client,
            self._settings.openai_model,
            self._pace,
            RateLimit(f"openai:{hashlib.sha256(key.encode()).hexdigest()[:8]}", _OPENAI_INTERVAL, burst=10),
            self._sleep.for_service(OPENAI),
            self._instruments,
            max_output_tokens=self._settings.openai_max_output_tokens,
            patience=self._patience,
        )

    @cached_property
    def telegram(self) -> ApiClient:
        return self._client(telegram_api(self._settings.telegram_api_url))

    def _client(self, api: ApiDescription) -> ApiClient:
        client = ApiClient(api, self._pace, self._sleep.for_service(api.service), self._patience)
        self._opened.append(client.close)
        return client


def _secret(value: SecretStr | None, variable: str) -> str:
    if value is None:
        raise NotConfigured(f"{variable} is not set.")
    return value.get_secret_value()
