"""The cardinality limit: a maximum number of attribute sets for each instrument, which the Python SDK lacks.

The OpenTelemetry specification (Metrics SDK, "Cardinality limits") asks for 2,000 by default. The last of them is the overflow
set: measurements over the limit are counted in one series with `otel.metric.overflow=true`.
"""

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Final

from opentelemetry.metrics import (
    CallbackOptions,
    CallbackT,
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
    UpDownCounter,
)
from opentelemetry.util.types import Attributes

from telemetry.compatibility.unstable_api import Gauge
from telemetry.metrics.measuring.attribute_sets import AttributeSets
from telemetry.metrics.measuring.callback_deadline import CallbackDeadline
from telemetry.metrics.measuring.change_flag import ChangeFlag
from telemetry.metrics.measuring.limited_instruments import (
    LimitedCounter,
    LimitedGauge,
    LimitedHistogram,
    LimitedUpDownCounter,
)
from telemetry.metrics.measuring.measured_number import plain_number, refuse
from telemetry.redaction.policy import redact, redact_attributes, redact_value

CARDINALITY_LIMIT: Final = 2000
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_./-]+")


class LimitedMeter(Meter):
    """A meter whose instruments have a cardinality limit; otherwise the meter that it wraps."""

    def __init__(
        self,
        inner: Meter,
        sets: Callable[[str], AttributeSets],
        change_flag: ChangeFlag,
        deadline: CallbackDeadline,
    ) -> None:
        super().__init__(inner.name, inner.version, inner.schema_url)
        self._inner = inner
        self._sets = sets
        self._change_flag = change_flag
        self._deadline = deadline

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        name, unit, description = _redacted(name, unit, description)
        return LimitedCounter(self._inner.create_counter(name, unit, description), self._sets(name), self._change_flag)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        name, unit, description = _redacted(name, unit, description)
        return LimitedUpDownCounter(
            self._inner.create_up_down_counter(name, unit, description), self._sets(name), self._change_flag
        )

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        name, unit, description = _redacted(name, unit, description)
        inner = self._inner.create_histogram(
            name,
            unit,
            description,
            explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory,
        )
        return LimitedHistogram(inner, self._sets(name), self._change_flag)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        name, unit, description = _redacted(name, unit, description)
        return LimitedGauge(self._inner.create_gauge(name, unit, description), self._sets(name), self._change_flag)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        name, unit, description = _redacted(name, unit, description)
        return self._inner.create_observable_counter(name, self._callbacks(name, callbacks), unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        name, unit, description = _redacted(name, unit, description)
        return self._inner.create_observable_up_down_counter(name, self._callbacks(name, callbacks), unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        name, unit, description = _redacted(name, unit, description)
        return self._inner.create_observable_gauge(name, self._callbacks(name, callbacks), unit, description)

    def _callbacks(self, name: str, callbacks: Sequence[CallbackT] | None) -> Sequence[CallbackT] | None:
        if callbacks is None:
            return None
        sets = self._sets(name)
        return [_limit_callback(callback, sets, self._deadline) for callback in callbacks]


def _redacted(name: str, unit: str, description: str) -> tuple[str, str, str]:
    """Name, unit and description without secrets. What replaces one in a name or a unit has characters that these may have."""
    words = [word if (safe := redact(word)) == word else _NOT_IN_NAME.sub("_", safe) for word in (name, unit)]
    return words[0], words[1], redact(description)


def _limit_callback(callback: CallbackT, sets: AttributeSets, deadline: CallbackDeadline) -> CallbackT:
    """Limit the time and the observations of a callback, which may be a function or a generator."""
    observe = deadline.bind(sets.instrument, callback if callable(callback) else _started(callback))

    def limited(options: CallbackOptions) -> Iterable[Observation]:
        for observation in observe(options):
            try:
                value = plain_number(observation.value)
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


class LimitedMeterProvider(MeterProvider):
    """A meter provider whose instruments all have a cardinality limit. Pass this one on, not the SDK's."""

    def __init__(self, inner: MeterProvider, limit: int = CARDINALITY_LIMIT) -> None:
        self._inner = inner
        self._limit = limit
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
        name, version = redact_value(name), redact_value(version)
        inner = self._inner.get_meter(name, version, schema_url, redact_attributes(attributes) if attributes else None)
        return LimitedMeter(
            inner, lambda instrument: self._attribute_sets(name, instrument), self.change_flag, self._deadline
        )

    def _attribute_sets(self, meter: str, instrument: str) -> AttributeSets:
        # Instrument names are case-insensitive in the SDK.
        return self._sets.setdefault((meter, instrument.lower()), AttributeSets(instrument, self._limit))

    def end_callbacks(self) -> None:
        """End the threads in which callbacks run; a later collection gets new ones."""
        self._deadline.end()

    def late_callbacks(self) -> dict[str, int]:
        """How often callbacks gave nothing within their deadline, by the instrument's name."""
        return dict(self._deadline.late)

    def overflowed_instruments(self) -> list[str]:
        """The names of the instruments that have reached their limit."""
        return sorted({sets.instrument for sets in list(self._sets.values()) if sets.overflowed})
