"""Bound instruments: the SDK's aggregation of an attribute set is looked up once instead of with each measurement.

The SDK has no bound instruments. It checks, copies, sorts and hashes the attributes of each measurement, which is most of a
measurement's cost. The aggregations found here are the SDK's own, so readers, views and temporality stay as they are. The
lookup uses private names of the SDK. If those differ in another version, nothing is bound and each measurement takes the SDK's
own path.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from time import time_ns
from types import SimpleNamespace
from typing import Any, Final, Self

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import TraceBasedExemplarFilter
from opentelemetry.util.types import Attributes

from telemetry.compatibility import internals
from telemetry.metrics.measuring.measured_number import MAX_INTEGER
from telemetry.metrics.measuring.shared_series import Shape, SharedMeasurements, SharedSeries

_MODULE: Final = "opentelemetry.sdk.metrics._internal._view_instrument_match"
_SDK: Final = "opentelemetry.sdk."
_AGGREGATION: Final = "opentelemetry.sdk.metrics._internal.aggregation"
_hash_attributes: Final[Any] = internals.find(_MODULE, "_hash_attributes")
_sum_aggregation: Final[Any] = internals.find(_AGGREGATION, "_SumAggregation") or ()
_histogram_aggregation: Final[Any] = internals.find(_AGGREGATION, "_ExplicitBucketHistogramAggregation") or ()


class BoundAggregations:
    """The aggregations of one attribute set: one for each reader and view.

    Attributes:
        shared: what has the same measurements in a file, if others read them.
    """

    __slots__ = (
        "_aggregations",
        "_consumer",
        "_is_enabled",
        "_is_trace_based",
        "_may_be_exemplar",
        "_readers",
        "shared",
    )

    def __init__(self, instrument: Any, attributes: Mapping[str, Any]) -> None:
        self.shared: SharedSeries | None = None
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
        if self.shared is not None:
            self.shared.record(amount)
        return True

    def share(self, amount: float) -> None:
        """Share a measurement that the SDK has recorded, if it did not refuse it."""
        if self.shared is not None and 0 <= amount < MAX_INTEGER and self._is_enabled():
            self.shared.record(amount)

    def shape(self, instrument: Any) -> Shape | None:
        """What the metric is called; None if views make several of it, or if it is neither a counter nor a histogram."""
        matches = [
            match
            for reader in self._readers.values()
            for match in reader._instrument_view_instrument_matches[instrument]
        ]
        shapes = {
            Shape(match._name, match._description or "", instrument.unit or "", _bounds(aggregation))
            for match, aggregation in zip(matches, self._aggregations, strict=True)
        }
        return shapes.pop() if len(shapes) == 1 else None


def _takes_measurement(aggregation: Any) -> bool:
    """Whether an aggregation takes what is handed to it here: what it raised would reach the code that measures."""
    method = getattr(type(aggregation), "aggregate", None)
    if method is not None and _takes_both(method):
        return True
    internals.note_missing("aggregate(measurement, should_sample_exemplar)")
    return False


@cache
def _takes_both(method: Callable[..., None]) -> bool:
    """Whether a method takes a measurement and a flag. The SDK has few of them, and every new series asks."""
    try:
        inspect.signature(method).bind(None, SimpleNamespace(value=0.0), False)
    except (TypeError, ValueError):
        return False
    return True


def _bounds(aggregation: Any) -> tuple[float, ...] | None:
    """The bounds of a histogram's buckets; None for a counter."""
    if isinstance(aggregation, _histogram_aggregation):
        return tuple(aggregation._boundaries)
    if isinstance(aggregation, _sum_aggregation) and aggregation._instrument_is_monotonic:
        return None
    raise TypeError("neither a counter nor a histogram")


class BoundInstruments:
    """The bound attribute sets of one instrument. They are kept for good, so the caller limits their number."""

    def __init__(self, instrument: Any, shared: SharedMeasurements | None = None) -> None:
        self._instrument = instrument
        self._shared = shared
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

    def bind(self, attributes: Attributes) -> BoundAggregations | None:
        """Bind attributes. Call it after the SDK recorded a measurement with them, so that it has an aggregation.

        Returns:
            Their aggregations, if they can be bound.
        """
        attributes = attributes or {}
        try:
            known = self._bound.get(key := _key(attributes))
            if key not in self._bound or (known is not None and not known.is_current):
                known = BoundAggregations.find(self._instrument, attributes)
                if known is not None and self._shared is not None:
                    known.shared = self._share(known, key, attributes)
                self._bound[key] = known
        except TypeError:
            return None
        return known

    def _share(self, bound: BoundAggregations, key: Hashable, attributes: Mapping[str, Any]) -> SharedSeries | None:
        """None if a metric cannot be shared: other processes see it with the next snapshot."""
        try:
            shape = bound.shape(self._instrument)
            return None if shape is None or self._shared is None else self._shared.series(shape, key, attributes)
        except (TypeError, ValueError):  # a gauge, or attributes that JSON cannot hold
            return None
        except AttributeError as error:
            internals.note_missing(str(error.name))
            return None


def _key(attributes: Mapping[str, Any]) -> Hashable:
    """With the types: 1, 1.0 and True are equal in Python, but not to the SDK."""
    return (*attributes.items(), *map(type, attributes.values()))
