import threading

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.sdk.reentrant_locks import make_locks_reentrant

REENTRANT = type(threading.RLock())


def test_every_lock_on_the_way_of_a_measurement_is_reentrant():
    make_locks_reentrant()
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("tests")
    instruments = [meter.create_counter("a"), meter.create_histogram("b"), meter.create_gauge("c")]
    for each in instruments:
        (each.set if hasattr(each, "set") else each.record if hasattr(each, "record") else each.add)(1, {"k": "v"})

    consumer = provider._measurement_consumer
    (storage,) = consumer._reader_storages.values()
    matches = [match for each in instruments for match in storage._instrument_view_instrument_matches[each]]
    aggregations = [found for match in matches for found in match._attributes_aggregation.values()]

    owners = [provider, consumer, storage, *matches, *aggregations]
    assert len(matches) == len(aggregations) == 3
    assert {type(each._lock) for each in owners} == {REENTRANT}
