"""The jobs of the business: reviews and orders come in, advice goes out. Each returns what its run should say."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from opentelemetry.metrics import Counter

from service.integrations.http.errors import CallError
from service.integrations.marketplace import Order, Source
from service.integrations.ozon.credentials import expiry_warning, fetch_key_expiry
from service.jobs.context import JobContext
from service.names import MARKETPLACE, OZON, STATUS, WB
from service.orders.sync import OrderSync
from service.reviews.sync import ReviewSync
from service.sync.ingestion import OnCounted

Metadata = Mapping[str, Any]
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def sync_wb_reviews(context: JobContext) -> Metadata:
    _warn(WB, context.outside.wb_token.warning(_now()))
    return _reviews(context, WB)


def sync_wb_orders(context: JobContext) -> Metadata:
    return _orders(context, WB, context.outside.wb_orders.sources())


def sync_ozon_reviews(context: JobContext) -> Metadata:
    done = _reviews(context, OZON)
    with suppress(CallError):  # the reviews are read; it is asked for again at the next sync
        _warn(OZON, expiry_warning(fetch_key_expiry(context.outside.ozon), _now()))
    return done


def sync_ozon_orders(context: JobContext) -> Metadata:
    return _orders(context, OZON, context.outside.ozon_orders.sources())


def _warn(marketplace: str, warning: str | None) -> None:
    if warning:
        _log.warning(warning, extra={"component": marketplace})


def _reviews(context: JobContext, marketplace: str) -> Metadata:
    record = _recording(context.instruments.reviews_processed, marketplace)
    return ReviewSync(context.outside.reviews(marketplace), context.engine, record, _now).run(context.progress)


def _orders(context: JobContext, marketplace: str, sources: Iterable[Source[Order]]) -> Metadata:
    record = _recording(context.instruments.orders_processed, marketplace)
    return OrderSync(marketplace, sources, context.engine, record, _now).run(context.progress)


def _recording(counter: Counter, marketplace: str) -> OnCounted:
    def record(status: str, number: int) -> None:
        counter.add(number, {MARKETPLACE: marketplace, STATUS: status})

    return record
