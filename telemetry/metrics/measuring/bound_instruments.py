"""Bound instruments: the SDK's aggregation of an attribute set is looked up once instead of with each measurement.

The SDK has no bound instruments. It checks, copies, sorts and hashes the attributes of each measurement, which is most of a
measurement's cost. The aggregations found here are the SDK's own, so readers, views and temporality stay as they are. The
lookup uses private names of the SDK. If those differ in another version, nothing is bound and each measurement takes the SDK's
own path.
"""

import inspect
from collections.abc import Hashable, Mapping
from contextlib import suppress
from time import time_ns
from types import SimpleNamespace
from typing import Any, Final, Self

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import TraceBasedExemplarFilter
from opentelemetry.util.types import Attributes

from telemetry.compatibility import internals
from telemetry.metrics.measuring.measured_number import MAX_INTEGER

_MODULE: Final = "opentelemetry.sdk.metrics._internal._view_instrument_match"
_SDK: Final = "opentelemetry.sdk."
_hash_attributes: Final[Any] = internals.find(_MODULE, "_hash_attributes")


class BoundAggregations:
    """The aggregations of one attribute set: one for each reader and view."""

    __slots__ = ("_aggregations", "_consumer", "_is_enabled", "_is_trace_based", "_may_be_exemplar", "_readers")

    def __init__(self, instrument: Any, attributes: Mapping[str, Any]) -> None:
        self._consumer = instrument._measurement_consumer
        self._readers = self._consumer._reader_storages
        self._is_enabled = instrument._is_enabled
        exemplar_filter = self._consumer._sdk_config.exemplar_filter
        self._may_be_exemplar = exemplar_filter.should_sample
        self._is_trace_based = type(exemplar_filter) is TraceBasedExemplarFilter
        key = _hash_attributes(attributes)
        self._aggregations = [
            match._attributes_aggregation[key]
            for reader in self._readers.values()
            for match in reader._instrument_view_instrument_matches[instrument]
        ]

    @classmethod
    def find(cls, instrument: Any, attributes: Mapping[str, Any]) -> Self | None:
        """None if the instrument is not of this version of the SDK, or if a view drops some of the attributes."""
        if _hash_attributes is None:
            return None
        try:
            bound = cls(instrument, attributes)
        except (KeyError, TypeError):
            return None
        except AttributeError as error:
            if type(instrument).__module__.startswith(_SDK):
                internals.note_missing(str(error.name))
            return None
        return bound if all(map(_takes_measurement, bound._aggregations)) else None

    @property
    def is_current(self) -> bool:
        """False after a reader was added or removed: the SDK then replaces its readers."""
        return self._consumer._reader_storages is self._readers

    def try_record(
        self,
        amount: float,
        attributes: Attributes,
        context: Context | None,
        is_sampled: bool | None = None,  # noqa: FBT001  # a keyword costs more
    ) -> bool:
        """Record a measurement.

        Args:
            amount: what was measured.
            attributes: those that are bound; they go into an exemplar.
            context: the trace that an exemplar points at.
            is_sampled: whether that trace is sampled, if the caller knows: the usual filter of exemplars asks nothing else.

        Returns:
            False if the SDK must record it: its readers have changed, or it might refuse the value.
        """
        if (
            not 0 <= amount < MAX_INTEGER
            or self._consumer._reader_storages is not self._readers
            or not self._is_enabled()
        ):
            return False
        is_exemplar = is_sampled
        if is_exemplar is None or not self._is_trace_based:
            is_exemplar = self._may_be_exemplar(amount, time_ns(), attributes, context)
        measurement: Any = SimpleNamespace(value=amount)  # what an aggregation reads
        if is_exemplar:
            measurement.time_unix_nano, measurement.attributes, measurement.context = time_ns(), attributes, context
        for aggregation in self._aggregations:
            aggregation.aggregate(measurement, is_exemplar)
        return True


def _takes_measurement(aggregation: Any) -> bool:
    """Whether an aggregation takes what is handed to it here: what it raised would reach the code that measures."""
    try:
        inspect.signature(aggregation.aggregate).bind(SimpleNamespace(value=0.0), False)
    except (AttributeError, TypeError):
        internals.note_missing("aggregate(measurement, should_sample_exemplar)")
        return False
    return True


class BoundInstruments:
    """The bound attribute sets of one instrument. They are kept for good, so the caller limits their number."""

    def __init__(self, instrument: Any) -> None:
        self._instrument = instrument
        self._bound: dict[Hashable, BoundAggregations | None] = {}

    def try_record(self, amount: float, attributes: Attributes, context: Context | None) -> bool:
        """Record a measurement if its attributes are bound.

        Returns:
            False if the SDK must record it: not bound, or a value that the SDK might refuse.
        """
        bound = self.find(attributes)
        return bound is not None and bound.try_record(amount, attributes, context)

    def find(self, attributes: Attributes) -> BoundAggregations | None:
        """The aggregations of bound attributes, for a caller that keeps them."""
        try:
            return self._bound.get(_key(attributes or {}))
        except TypeError:  # an attribute's value may be a list
            return None

    def bind(self, attributes: Attributes) -> None:
        """Bind attributes. Call it after the SDK recorded a measurement with them, so that it has an aggregation."""
        with suppress(TypeError):
            key = _key(attributes or {})
            if key not in self._bound or ((known := self._bound[key]) is not None and not known.is_current):
                self._bound[key] = BoundAggregations.find(self._instrument, attributes or {})


def _key(attributes: Mapping[str, Any]) -> Hashable:
    """With the types: 1, 1.0 and True are equal in Python, but not to the SDK."""
    return (*attributes.items(), *map(type, attributes.values()))
