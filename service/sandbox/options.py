"""Options of the sandbox: the amount of simulated data, and the limits of the services."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(slots=True)
class Options:
    """The amount of data at the epoch, the interval of additions, and limits; the defaults are those of the real services.

    The field names are the names of `--option`.

    Attributes:
        wb_orders_page: rows of `supplier/orders` in one response.
        wb_base_secret: whether Wildberries refuses a Base token without its client secret.
        ozon_per_second: calls a second for each Client-Id.
        ozon_subscription: whether the seller has the subscription that opens the review methods.
        ozon_key_days: days until the Api-Key expires.
        moderation: how long Wildberries and Ozon moderate an answer.
        openai_latency: seconds that a response of OpenAI takes at most; a quarter of it at least.
        openai_refusals: the share of reviews that the model refuses to answer.
        openai_injections: the share of reviews by which the model is talked into an answer that must not go out.
        openai_long_reasoning: the share of reviews about which it reasons for longer than most limits of tokens allow.
        telegram_chat: the state of the manager's chat: ok, upgraded, blocked, kicked, left, deactivated, unstarted.
        telegram_query_seconds: for how long a press of a button may be answered.
        telegram_webhook: whether the bot has a webhook, so that its updates cannot be polled.
    """

    wb_reviews: int = 160
    wb_reviews_every: timedelta = timedelta(seconds=20)
    wb_orders: int = 400
    wb_orders_every: timedelta = timedelta(seconds=15)
    wb_orders_page: int = 80_000
    wb_limits: bool = True
    wb_base_secret: bool = False
    moderation: timedelta = timedelta(seconds=20)
    ozon_reviews: int = 120
    ozon_reviews_every: timedelta = timedelta(seconds=30)
    ozon_postings: int = 240
    ozon_postings_every: timedelta = timedelta(seconds=20)
    ozon_per_second: float = 2.0
    ozon_subscription: bool = True
    ozon_key_days: int = 90
    openai_per_minute: int = 500
    openai_tokens_per_minute: int = 500_000
    openai_quota: bool = True
    openai_latency: float = 0.2
    openai_refusals: float = 0.0
    openai_injections: float = 0.0
    openai_long_reasoning: float = 0.0
    telegram_limits: bool = True
    telegram_chat: str = "ok"
    telegram_query_seconds: float = 30.0
    telegram_webhook: bool = False
