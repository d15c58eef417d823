"""What a forked child has counted: nothing yet. Its copy of the parent's counts would be counted twice.

The SDK keeps the parent's aggregations in a child. Here counters begin at zero, histograms when something is measured, and gauges
keep their values. The locks, which a thread of the parent may have held, are made anew. Private names of the SDK are used; if
those differ in another version, a child shows the parent's counts as well.
"""

import threading
from time import time_ns
from typing import Any, Final

from telemetry.compatibility import internals

_SYNCHRONOUS: Final = "DELTA"
"""How the SDK calls the temporality of what is measured call by call. What callbacks observe is of this process anyway."""
_DEFAULT: Final = "DefaultAggregation"


def reset_counts(provider: Any) -> None:
    """Forget what a meter provider has counted, in a child that was just forked."""
    try:
        consumer = provider._measurement_consumer
        consumer._lock = threading.RLock()
        for storage in consumer._reader_storages.values():
            storage._lock = threading.RLock()
            for matches in list(storage._instrument_view_instrument_matches.values()):
                for match in matches:
                    _reset(match)
        consumer._reader_storages = dict(consumer._reader_storages)  # so that bound instruments look up theirs again
    except AttributeError as error:
        internals.note_missing(str(error.name))


def _reset(match: Any) -> None:
    match._lock = threading.RLock()
    kept = {key: _of_child(match, each) for key, each in list(match._attributes_aggregation.items())}
    match._attributes_aggregation = {key: each for key, each in kept.items() if each is not None}


def _of_child(match: Any, aggregation: Any) -> Any:
    """The aggregation of the same series in the child; None for a histogram, which has no series before it is measured."""
    temporality = getattr(aggregation, "_instrument_aggregation_temporality", None)  # a gauge has none
    if temporality is None or temporality.name != _SYNCHRONOUS:
        aggregation._lock = threading.RLock()
        return aggregation
    if not hasattr(aggregation, "_instrument_is_monotonic"):
        return None
    factory = match._view._aggregation
    if type(factory).__name__ == _DEFAULT:
        factory = match._instrument_class_aggregation[type(match._instrument)]
    reservoir = match._view._exemplar_reservoir_factory
    return factory._create_aggregation(match._instrument, aggregation._attributes, reservoir, time_ns())
