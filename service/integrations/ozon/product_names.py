"""Looks up product names by sku, since reviews of Ozon contain the sku only."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from service.integrations.http.client import ApiClient
from service.integrations.http.errors import CallError, Unreadable
from service.integrations.marketplace import InvalidField
from service.integrations.ozon.client import post
from service.integrations.ozon.fields import optional_text_field, sku_field
from service.names import OZON

_log = logging.getLogger(__name__)
_MAX_SKUS_PER_CALL: Final = 1000
_PATIENCE: Final = 20.0  # seconds
_RETRY_INTERVAL: Final = timedelta(minutes=10)

KnownNames: TypeAlias = Callable[[Collection[str]], Mapping[str, str]]
"""Returns the stored names of those skus that have one."""


class ProductNames:
    """Product names, from the database or from Ozon.

    A name is optional: if Ozon fails, reviews come without names, and Ozon is not asked again for ten minutes.
    """

    def __init__(self, client: ApiClient, known: KnownNames, now: Callable[[], datetime]) -> None:
        self._client = client
        self._known = known
        self._now = now
        self._unknown: set[str] = set()
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def lookup(self, skus: Collection[str]) -> Mapping[str, str]:
        """The names by sku, as far as they are known. May call Ozon."""
        known = self._known(skus) if skus else {}
        missing = sorted(set(skus) - known.keys() - self._unknown)
        if not missing or self._now() < self._not_before:
            return known
        return {**known, **self._fetch(missing[:_MAX_SKUS_PER_CALL])}

    def _fetch(self, skus: list[str]) -> Mapping[str, str]:
        try:
            names = parse_names(post(self._client, "/v3/product/info/list", {"sku": skus}, patience=_PATIENCE))
        except CallError as error:
            _log.warning(
                "Product names could not be read; reviews are stored without them: %s", error, extra={"component": OZON}
            )
            self._not_before = self._now() + _RETRY_INTERVAL
            return {}
        self._unknown.update(set(skus) - names.keys())
        return names


def parse_names(response: Mapping[str, Any]) -> dict[str, str]:
    """The names by sku. A product has a sku for each scheme. Invalid products are left out.

    Raises:
        Unreadable: the response is not a list of products.
    """
    if not isinstance(items := response.get("items"), list):
        raise Unreadable("Ozon's response has no list of `items`.")
    return {sku: name for item in items if isinstance(item, Mapping) for sku, name in _sku_names(item)}


def _sku_names(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sources = item.get("sources")
    for holder in (item, *(sources if isinstance(sources, list) else ())):
        try:
            if name := optional_text_field(item, "name").strip():
                yield sku_field(holder), name
        except (InvalidField, AttributeError):  # a holder that is no object has no `get`
            continue
