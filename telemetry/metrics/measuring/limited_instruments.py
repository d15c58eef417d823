"""The synchronous instruments: their attribute sets are limited, and nothing that is measured raises into the application."""

from collections.abc import Callable
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.util.types import Attributes

from telemetry.compatibility.unstable_api import Gauge
from telemetry.metrics.measuring.attribute_sets import AttributeSets
from telemetry.metrics.measuring.bound_instruments import BoundAggregations, BoundInstruments
from telemetry.metrics.measuring.change_flag import ChangeFlag
from telemetry.metrics.measuring.measured_number import PLAIN, plain_number, refuse
from telemetry.metrics.measuring.shared_series import SharedMeasurements


class _Limited:
    """Base of the synchronous instruments: limits the attribute sets, and records bound ones directly."""

    def __init__(
        self, inner: Any, sets: AttributeSets, change_flag: ChangeFlag, shared: SharedMeasurements | None = None
    ) -> None:
        self._inner = inner
        self._sets = sets
        self._change_flag = change_flag
        self._bindings = BoundInstruments(inner, shared)

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._change_flag.is_set = True
        try:
            if type(amount) not in PLAIN or not self._bindings.try_record(amount, attributes, context):
                self._record(self._inner.add, plain_number(amount), attributes, context)
        except Exception as error:  # noqa: BLE001  # an edge: whatever was measured, the work goes on
            refuse(self._sets.instrument, error)

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._change_flag.is_set = True
        try:
            if type(amount) not in PLAIN or not self._bindings.try_record(amount, attributes, context):
                self._record(self._inner.record, plain_number(amount), attributes, context)
        except Exception as error:  # noqa: BLE001  # likewise
            refuse(self._sets.instrument, error)

    def set(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._change_flag.is_set = True
        try:
            if type(amount) not in PLAIN or not self._bindings.try_record(amount, attributes, context):
                self._record(self._inner.set, plain_number(amount), attributes, context)
        except Exception as error:  # noqa: BLE001  # likewise
            refuse(self._sets.instrument, error)

    def _record(
        self, record: Callable[..., None], amount: float, attributes: Attributes, context: Context | None
    ) -> None:
        admitted = self._sets.admit(attributes)
        record(amount, admitted, context)
        bound = self._bindings.bind(admitted)
        if bound is not None:
            bound.share(amount)


class LimitedCounter(_Limited, Counter):
    pass


class LimitedUpDownCounter(_Limited, UpDownCounter):
    pass


class LimitedHistogram(_Limited, Histogram):
    def bound(self, attributes: Attributes) -> "BoundHistogram | None":
        """One series, for a caller that keeps it. None before a measurement was recorded with these attributes."""
        found = self._bindings.find(attributes)
        return None if found is None else BoundHistogram(self, attributes, found, self._change_flag)


class BoundHistogram:
    """A histogram with its attributes: recording looks nothing up."""

    __slots__ = ("_aggregations", "_attributes", "_change_flag", "_histogram")

    def __init__(
        self,
        histogram: LimitedHistogram,
        attributes: Attributes,
        aggregations: BoundAggregations,
        change_flag: ChangeFlag,
    ) -> None:
        self._histogram = histogram
        self._attributes = attributes
        self._aggregations = aggregations
        self._change_flag = change_flag

    def record(self, amount: float, context: Context | None, is_sampled: bool) -> None:  # noqa: FBT001  # a keyword costs more
        """Record a measurement of a trace; `is_sampled` says whether that is sampled."""
        self._change_flag.is_set = True
        if not self._aggregations.try_record(amount, self._attributes, context, is_sampled):
            self._histogram.record(amount, self._attributes, context)


class LimitedGauge(_Limited, Gauge):
    pass
