"""Product names: a review of Ozon's says only the sku, so the names that are not known yet are asked for, a page at a time."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from service.integrations.http.client import ApiClient
from service.integrations.http.errors import CallError, Unreadable
from service.integrations.ozon.client import post
from service.integrations.ozon.errors import _SERVICE
from service.integrations.ozon.fields import Malformed, optional_text_in, sku_in

_log = logging.getLogger(__name__)
_MOST: Final = 1000
_PATIENCE: Final = 20.0
_PAUSE: Final = timedelta(minutes=10)

KnownNames: TypeAlias = Callable[[Collection[str]], Mapping[str, str]]
"""The names that are known already, of those skus of which one is."""


class ProductNames:
    """A name is worth little enough: when Ozon does not give it, the review comes without, and it is not asked for a while."""

    def __init__(self, client: ApiClient, known: KnownNames, now: Callable[[], datetime]) -> None:
        self._client = client
        self._known = known
        self._now = now
        self._unknown: set[str] = set()
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def of(self, skus: Collection[str]) -> Mapping[str, str]:
        known = self._known(skus) if skus else {}
        missing = sorted(set(skus) - known.keys() - self._unknown)
        if not missing or self._now() < self._not_before:
            return known
        return {**known, **self._asked(missing[:_MOST])}

    def _asked(self, skus: list[str]) -> Mapping[str, str]:
        try:
            names = names_in(post(self._client, "/v3/product/info/list", {"sku": skus}, patience=_PATIENCE))
        except CallError as error:
            _log.warning("Reviews come without the names of products: %s", error, extra={"component": _SERVICE})
            self._not_before = self._now() + _PAUSE
            return {}
        self._unknown.update(set(skus) - names.keys())
        return names


def names_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """Names by sku; a product has a sku for each way of selling it. What can't be read is left out.

    Raises:
        Unreadable: it is no list of products.
    """
    if not isinstance(items := answer.get("items"), list):
        raise Unreadable("Ozon's answer has no list of `items`.")
    return {sku: name for item in items if isinstance(item, Mapping) for sku, name in _named(item)}


def _named(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sources = item.get("sources")
    for holder in (item, *(sources if isinstance(sources, list) else ())):
        try:
            if name := optional_text_in(item, "name").strip():
                yield sku_in(holder), name
        except (Malformed, AttributeError):  # a holder that is no object has no `get`
            continue
