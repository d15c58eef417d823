"""The jobs of the business: reviews and orders come in, advice goes out. Each returns what its run should say."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.metrics import Counter

from service.context import Context
from service.external import OZON, WB
from service.instruments import MARKETPLACE, STATUS
from service.marketplaces.ozon_keys import expires_soon, key_expiry
from service.orders.sync import sync_orders
from service.reviews.drafting import Drafting
from service.reviews.sync import sync_reviews

Metadata = Mapping[str, Any]
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def sync_wb_reviews(context: Context) -> Metadata:
    _warn(WB, context.outside.wb_token.complaint(_now()))
    return _reviews(context, WB)


def sync_wb_orders(context: Context) -> Metadata:
    return _orders(context, WB)


def sync_ozon_reviews(context: Context) -> Metadata:
    _warn(OZON, expires_soon(key_expiry(context.outside.ozon), _now()))
    return _reviews(context, OZON)


def sync_ozon_orders(context: Context) -> Metadata:
    return _orders(context, OZON)


def generate_advice(context: Context) -> Metadata:
    return Drafting(context.engine, context.outside.drafter, _now).run(context.progress)


def _warn(marketplace: str, complaint: str | None) -> None:
    if complaint:
        _log.warning(complaint, extra={"component": marketplace})
