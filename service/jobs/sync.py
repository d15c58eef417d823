"""The jobs of the business: reviews and orders come in, advice goes out. Each returns what its run should say."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from opentelemetry.metrics import Counter

from service.integrations.http.errors import CallError
from service.integrations.marketplace import Order, Source
from service.integrations.ozon.credentials import expires_soon, key_expiry
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
    _warn(WB, context.clients.wb_token.complaint(_now()))
    return _reviews(context, WB)


def sync_wb_orders(context: JobContext) -> Metadata:
    return _orders(context, WB, [context.clients.wb_orders])


def sync_ozon_reviews(context: JobContext) -> Metadata:
    done = _reviews(context, OZON)
    with suppress(CallError):  # the reviews are read; it is asked for again at the next sync
        _warn(OZON, expires_soon(key_expiry(context.clients.ozon), _now()))
    return done


def sync_ozon_orders(context: JobContext) -> Metadata:
    return _orders(context, OZON, context.clients.ozon_orders.sources())


def _warn(marketplace: str, complaint: str | None) -> None:
    if complaint:
        _log.warning(complaint, extra={"component": marketplace})


def _reviews(context: JobContext, marketplace: str) -> Metadata:
    record = _recording(context.instruments.reviews_processed, marketplace)
    return ReviewSync(context.clients.reviews(marketplace), context.engine, record, _now).run(context.progress)


def _orders(context: JobContext, marketplace: str, sources: Iterable[Source[Order]]) -> Metadata:
    record = _recording(context.instruments.orders_processed, marketplace)
    return OrderSync(marketplace, sources, context.engine, record, _now).run(context.progress)


def _recording(counter: Counter, marketplace: str) -> OnCounted:
    def record(status: str, number: int) -> None:
        counter.add(number, {MARKETPLACE: marketplace, STATUS: status})

    return record
