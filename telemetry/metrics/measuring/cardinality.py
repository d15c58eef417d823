"""The cardinality limit: a maximum number of attribute sets for each instrument, which the Python SDK lacks.

The OpenTelemetry specification (Metrics SDK, "Cardinality limits") asks for 2,000 by default. The last of them is the overflow
set: measurements over the limit are counted in one series with `otel.metric.overflow=true`.
"""

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.metrics import (
    CallbackOptions,
    CallbackT,
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    NoOpCounter,
    NoOpHistogram,
    NoOpObservableCounter,
    NoOpObservableGauge,
    NoOpObservableUpDownCounter,
    NoOpUpDownCounter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
    UpDownCounter,
)
from opentelemetry.util.types import Attributes

from telemetry.compatibility.unstable_api import Gauge, NoOpGauge
from telemetry.json_safe import to_text
from telemetry.metrics.measuring.attribute_sets import AttributeSets
from telemetry.metrics.measuring.callback_deadline import CallbackDeadline, Observe
from telemetry.metrics.measuring.change_flag import ChangeFlag
from telemetry.metrics.measuring.instrument_creation import checked_bounds, checked_callbacks, create_or_refuse
from telemetry.metrics.measuring.limited_instruments import (
    LimitedCounter,
    LimitedGauge,
    LimitedHistogram,
    LimitedUpDownCounter,
)
from telemetry.metrics.measuring.measured_number import plain_number, refuse
from telemetry.metrics.measuring.shared_series import SharedMeasurements
from telemetry.redaction.policy import redact, redact_attributes

CARDINALITY_LIMIT: Final = 2000


class LimitedMeter(Meter):
    """A meter whose instruments have a cardinality limit; otherwise the meter that it wraps."""

    def __init__(
        self,
        inner: Meter,
        sets: Callable[[str], AttributeSets],
        change_flag: ChangeFlag,
        deadline: CallbackDeadline,
        shared: SharedMeasurements | None = None,
    ) -> None:
        super().__init__(inner.name, inner.version, inner.schema_url)
        self._inner = inner
        self._sets = sets
        self._change_flag = change_flag
        self._deadline = deadline
        self._shared = shared

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        def create(*words: str) -> Counter:
            inner = self._inner.create_counter(*words)
            return LimitedCounter(inner, self._sets(words[0]), self._change_flag, self._shared)

        return create_or_refuse(create, NoOpCounter, name, unit, description)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        def create(*words: str) -> UpDownCounter:
            inner = self._inner.create_up_down_counter(*words)
            return LimitedUpDownCounter(inner, self._sets(words[0]), self._change_flag)

        return create_or_refuse(create, NoOpUpDownCounter, name, unit, description)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        def create(*words: str) -> Histogram:
            bounds = checked_bounds(explicit_bucket_boundaries_advisory)
            inner = self._inner.create_histogram(*words, explicit_bucket_boundaries_advisory=bounds)
            return LimitedHistogram(inner, self._sets(words[0]), self._change_flag, self._shared)

        return create_or_refuse(create, NoOpHistogram, name, unit, description)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        def create(*words: str) -> Gauge:
            return LimitedGauge(self._inner.create_gauge(*words), self._sets(words[0]), self._change_flag)

        return create_or_refuse(create, NoOpGauge, name, unit, description)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        def create(name: str, *words: str) -> ObservableCounter:
            limited = self._callbacks(name, callbacks, may_fall=False)
            return self._inner.create_observable_counter(name, limited, *words)

        return create_or_refuse(create, NoOpObservableCounter, name, unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        def create(name: str, *words: str) -> ObservableUpDownCounter:
            return self._inner.create_observable_up_down_counter(name, self._callbacks(name, callbacks), *words)

        return create_or_refuse(create, NoOpObservableUpDownCounter, name, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        def create(name: str, *words: str) -> ObservableGauge:
            return self._inner.create_observable_gauge(name, self._callbacks(name, callbacks), *words)

        return create_or_refuse(create, NoOpObservableGauge, name, unit, description)

    def _callbacks(
        self, name: str, callbacks: Sequence[CallbackT] | None, *, may_fall: bool = True
    ) -> Sequence[CallbackT] | None:
        found = checked_callbacks(callbacks)
        if found is None:
            return None
        observe = (self._deadline.bind(name, each if callable(each) else _started(each)) for each in found)
        return [_limit_callback(each, self._sets(name), 0 if not may_fall else -math.inf) for each in observe]


def _limit_callback(observe: Observe, sets: AttributeSets, lowest: float) -> CallbackT:
    """Limit the observations of a callback."""

    def limited(options: CallbackOptions) -> Iterable[Observation]:
        for observation in observe(options):
            try:
                value = plain_number(observation.value, lowest)
                yield Observation(value, sets.admit(observation.attributes), observation.context)
            except Exception as error:  # noqa: BLE001  # one odd observation, and not all of them
                refuse(sets.instrument, error)

    return limited


def _started(
    generator: Generator[Iterable[Observation], CallbackOptions, None],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    next(generator)

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        try:
            return generator.send(options)
        except StopIteration:
            return ()

    return observe


def _redacted_text(value: Any) -> Any:
    return value if value is None else redact(value if isinstance(value, str) else to_text(value))


class LimitedMeterProvider(MeterProvider):
    """A meter provider whose instruments all have a cardinality limit. Pass this one on, not the SDK's.

    Attributes:
        limit: of the label sets of each instrument.
    """

    def __init__(
        self, inner: MeterProvider, limit: int = CARDINALITY_LIMIT, shared: SharedMeasurements | None = None
    ) -> None:
        self._inner = inner
        self.limit = limit
        self._shared = shared
        self._sets: dict[tuple[str, str], AttributeSets] = {}
        self._deadline = CallbackDeadline()
        self.change_flag = ChangeFlag()

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Meter:
        name, version, schema_url = (_redacted_text(each) for each in (name, version, schema_url))
        attributes = redact_attributes(attributes) if attributes and isinstance(attributes, Mapping) else None
        inner = self._inner.get_meter(name or "unknown", version, schema_url, attributes)
        return LimitedMeter(
            inner,
            lambda instrument: self._attribute_sets(name, instrument),
            self.change_flag,
            self._deadline,
            self._shared,
        )

    def _attribute_sets(self, meter: str, instrument: str) -> AttributeSets:
        # Instrument names are case-insensitive in the SDK.
        return self._sets.setdefault((meter, instrument.lower()), AttributeSets(instrument, self.limit))

    def end_callbacks(self) -> None:
        """End the threads in which callbacks run; a later collection gets new ones."""
        self._deadline.end()

    def late_callbacks(self) -> dict[str, int]:
        """How often callbacks gave nothing within their deadline, by the instrument's name."""
        return dict(self._deadline.late)

    def label_sets(self) -> dict[str, int]:
        """How many label sets each instrument has in this process; of one that several meters have, the most."""
        found: dict[str, int] = {}
        for sets in list(self._sets.values()):
            found[sets.instrument] = max(found.get(sets.instrument, 0), sets.number)
        return found

    def overflowed_instruments(self) -> list[str]:
        """The names of the instruments that have reached their limit."""
        return sorted({sets.instrument for sets in list(self._sets.values()) if sets.overflowed})
