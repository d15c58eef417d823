"""Observes the connection pools of the process, by the names of OpenTelemetry's semantic conventions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from opentelemetry.metrics import CallbackOptions, CallbackT, Meter, Observation

from telemetry import semconv
from telemetry.instrumentation.connection_pools import POOLS, PoolState
from telemetry.instrumentation.psycopg_pools import PSYCOPG_POOLS

_ALL: Final = (POOLS, PSYCOPG_POOLS)


def observe_connections(meter: Meter) -> None:
    """Observe the connections of all pools, their limits, and the callers that wait or waited in vain for a connection."""
    meter.create_observable_up_down_counter(
        semconv.DB_CONNECTION_COUNT, [_connections], "{connection}", "Connections of a pool that are open, by state."
    )
    meter.create_observable_up_down_counter(
        semconv.DB_CONNECTION_MAX, [_limits], "{connection}", "The most connections that a pool opens."
    )
    meter.create_observable_up_down_counter(
        semconv.DB_CONNECTION_PENDING,
        [_each(pools.pending) for pools in _ALL],
        "{request}",
        "Callers that wait for a connection.",
    )
    meter.create_observable_counter(
        semconv.DB_CONNECTION_TIMEOUTS,
        [_each(pools.timeouts) for pools in _ALL],
        "{timeout}",
        "Callers that got no connection in time.",
    )


def _states() -> list[tuple[str, PoolState]]:
    return [each for pools in _ALL for each in pools.states().items()]


def _connections(_options: CallbackOptions) -> Iterable[Observation]:
    for name, state in _states():
        for word, number in ((semconv.CONNECTION_IDLE, state.idle), (semconv.CONNECTION_USED, state.used)):
            yield Observation(number, {semconv.DB_POOL_NAME: name, semconv.DB_CONNECTION_STATE: word})


def _limits(_options: CallbackOptions) -> Iterable[Observation]:
    for name, state in _states():
        if state.maximum is not None:
            yield Observation(state.maximum, {semconv.DB_POOL_NAME: name})


def _each(numbers: Callable[[], Mapping[str, int]]) -> CallbackT:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(number, {semconv.DB_POOL_NAME: name}) for name, number in numbers().items()]

    return observe
