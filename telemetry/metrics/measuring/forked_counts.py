"""What a forked child has counted: nothing yet. Its copy of the parent's counts would be counted twice.

The SDK keeps the parent's aggregations in a child. They are emptied in place, since bound instruments refer to them, and their
locks, which a thread of the parent may have held, are made anew. Gauges keep their values. Private names of the SDK are used; if
those differ in another version, a child shows the parent's counts as well.
"""

from collections.abc import Iterator
from time import time_ns
from typing import Any, Final

from telemetry.compatibility import internals

_SYNCHRONOUS: Final = "DELTA"
"""How the SDK calls the temporality of what is measured call by call. What callbacks observe is of this process anyway."""
_DEFAULT: Final = "DefaultAggregation"


def reset_counts(provider: Any) -> None:
    """Empty the counters and histograms of a meter provider, in a child that was just forked. Series stay, at zero."""
    try:
        for match in _matches(provider._measurement_consumer):
            for aggregation in list(match._attributes_aggregation.values()):
                _reset(match, aggregation)
    except AttributeError as error:
        internals.note_missing(str(error.name))


def _matches(consumer: Any) -> Iterator[Any]:
    consumer._lock = type(consumer._lock)()
    for storage in consumer._reader_storages.values():
        storage._lock = type(storage._lock)()
        for matches in list(storage._instrument_view_instrument_matches.values()):
            for match in matches:
                match._lock = type(match._lock)()
                yield match


def _reset(match: Any, aggregation: Any) -> None:
    aggregation._lock = type(aggregation._lock)()
    temporality = getattr(aggregation, "_instrument_aggregation_temporality", None)  # a gauge has none
    if temporality is None or temporality.name != _SYNCHRONOUS:
        return
    factory = match._view._aggregation
    if type(factory).__name__ == _DEFAULT:
        factory = match._instrument_class_aggregation[type(match._instrument)]
    reservoir = match._view._exemplar_reservoir_factory
    fresh = factory._create_aggregation(match._instrument, aggregation._attributes, reservoir, time_ns())
    vars(aggregation).update(vars(fresh))
