"""The sync jobs: read reviews and orders from the marketplaces. Each function returns the metadata of its run."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from opentelemetry.metrics import Counter

from service.database.clock import utcnow
from service.instruments import ServiceInstruments
from service.integrations.http.errors import CallError
from service.integrations.marketplace import Order, Source
from service.integrations.ozon.credentials import expiry_warning, fetch_key_expiry
from service.jobs.context import JobContext
from service.jobs.suspension import JobSwitch
from service.names import MARKETPLACE, ORDERS, OZON, REVIEWS, SOURCE, STATUS, WB
from service.orders.sync import OrderSync
from service.reviews.sync import ReviewSync
from service.sync.freshness.credentials import store_ozon_expiry
from service.sync.ingestion import INVALID, ODD, OnCounted
from telemetry.database import transaction

Metadata = Mapping[str, Any]
_log = logging.getLogger(__name__)


def sync_wb_reviews(context: JobContext) -> Metadata:
    _warn(WB, context.clients.wb_token.warning(utcnow()))
    return _sync_reviews(context, WB)


def sync_wb_orders(context: JobContext) -> Metadata:
    return _sync_orders(context, WB, context.clients.wb_orders.sources())


def sync_ozon_reviews(context: JobContext) -> Metadata:
    switch = JobSwitch(context.engine, "sync_ozon_reviews", OZON, utcnow)
    try:
        metadata = switch.run(lambda: _sync_reviews(context, OZON), context.progress, retry=context.manual)
    except Exception:
        _check_ozon_key(context)
        raise
    _check_ozon_key(context)
    return metadata


def sync_ozon_orders(context: JobContext) -> Metadata:
    return _sync_orders(context, OZON, context.clients.ozon_orders.sources())


def _check_ozon_key(context: JobContext) -> None:
    with suppress(CallError):  # the reviews are read, or say why not; the next sync checks the key again
        expires_at = fetch_key_expiry(context.clients.ozon)
        with transaction(context.engine) as session:
            store_ozon_expiry(session, context.settings, expires_at, utcnow())
        _warn(OZON, expiry_warning(expires_at, utcnow()))


def _warn(marketplace: str, warning: str | None) -> None:
    if warning:
        _log.warning(warning, extra={"component": marketplace})


def _sync_reviews(context: JobContext, marketplace: str) -> Metadata:
    on_counted = _counting(context.instruments, context.instruments.reviews_processed, marketplace, REVIEWS)
    return ReviewSync(context.clients.reviews(marketplace), context.engine, on_counted, utcnow).run(context.progress)


def _sync_orders(context: JobContext, marketplace: str, sources: Iterable[Source[Order]]) -> Metadata:
    on_counted = _counting(context.instruments, context.instruments.orders_processed, marketplace, ORDERS)
    return OrderSync(marketplace, sources, context.engine, on_counted, utcnow).run(context.progress)


def _counting(instruments: ServiceInstruments, counter: Counter, marketplace: str, kind: str) -> OnCounted:
    def count(status: str, number: int) -> None:
        if status != ODD:  # the row has a status of its own
            counter.add(number, {MARKETPLACE: marketplace, STATUS: status})
        if special := {INVALID: instruments.invalid_rows, ODD: instruments.odd_rows}.get(status):
            special.add(number, {SOURCE: f"{marketplace}.{kind}"})

    return count
