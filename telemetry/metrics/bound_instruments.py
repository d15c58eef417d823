"""Bound: where the SDK adds up a label set is found once, and not anew with each measurement.

The SDK has no bound instruments: it checks, copies, sorts and hashes the attributes of each measurement, which is most of what
one costs. What is found here are the SDK's own aggregations, so that readers, views and temporality are what they are without
it. They are found by private names: where those are not as they were, nothing is bound, and each measurement goes the SDK's way.
"""
# there is no public way; `_Bound.find` answers for it

import math
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry.context import Context
from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes
from opentelemetry.util.types import Attributes


@dataclass(slots=True)
class _Measurement:
    """As much of one as an aggregation looks at that takes no exemplar."""

    value: float


class _Bound:
    """The aggregations of one label set: one for each reader and view."""

    __slots__ = ("_aggregations", "_consumer", "_is_enabled", "_may_be_exemplar", "_readers")

    def __init__(self, instrument: Any, attributes: Mapping[str, Any]) -> None:
        self._consumer = instrument._measurement_consumer
        self._readers = self._consumer._reader_storages
        self._is_enabled = instrument._is_enabled
        self._may_be_exemplar = self._consumer._sdk_config.exemplar_filter.should_sample
        place = _hash_attributes(attributes)
        self._aggregations = [
            match._attributes_aggregation[place]
            for reader in self._readers.values()
            for match in reader._instrument_view_instrument_matches[instrument]
        ]

    @classmethod
    def find(cls, instrument: Any, attributes: Mapping[str, Any]) -> Self | None:
        """None when no SDK is behind it, or another version of it, or when a view drops some of the attributes."""
        try:
            return cls(instrument, attributes)
        except (AttributeError, KeyError):
            return None

    @property
    def is_current(self) -> bool:
        """The SDK replaces the readers when one comes or goes."""
        return self._consumer._reader_storages is self._readers

    def take(self, amount: float, attributes: Attributes, context: Context | None) -> bool:
        if (
            not 0 <= amount < math.inf
            or self._consumer._reader_storages is not self._readers
            or not self._is_enabled()
            or self._may_be_exemplar(amount, 0, attributes, context)
        ):
            return False
        measurement = _Measurement(amount)
        for aggregation in self._aggregations:
            aggregation.aggregate(measurement, False)
        return True


class BoundInstruments:
    """The label sets of one instrument that are bound. Bind a limited number of them: they are kept."""

    def __init__(self, instrument: Any) -> None:
        self._instrument = instrument
        self._bound: dict[Hashable, _Bound | None] = {}

    def take(self, amount: float, attributes: Attributes, context: Context | None) -> bool:
        """False for what has to go the SDK's way: what is not bound, what it might refuse, what might be an exemplar."""
        try:
            bound = self._bound.get(_key(attributes or {}))
        except TypeError:  # a list is an attribute's value, too
            return False
        return bound is not None and bound.take(amount, attributes, context)

    def bind(self, attributes: Attributes) -> None:
        """After the SDK has taken a measurement with these attributes, and so has a place for them."""
        with suppress(TypeError):
            key = _key(attributes or {})
            if key not in self._bound or ((known := self._bound[key]) is not None and not known.is_current):
                self._bound[key] = _Bound.find(self._instrument, attributes or {})


def _key(attributes: Mapping[str, Any]) -> Hashable:
    """To Python 1, 1.0 and True are the same, to the SDK they are not."""
    return (*attributes.items(), *map(type, attributes.values()))
