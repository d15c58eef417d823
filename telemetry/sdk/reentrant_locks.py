"""Makes the locks of OpenTelemetry's SDK reentrant.

The SDK takes plain locks around code that allocates. The garbage collector may run a finalizer there, or Python a signal handler,
and both may measure and log: ending a job inside an abandoned generator is enough. The thread would then wait for itself.
The SDK's state tolerates the interruption: in the worst case one measurement is lost.
"""

import threading
from typing import Final

from telemetry.compatibility import internals

_MODULES: Final = (
    "opentelemetry.sdk._logs._internal",
    "opentelemetry.sdk.metrics._internal",
    "opentelemetry.sdk.metrics._internal._view_instrument_match",
    "opentelemetry.sdk.metrics._internal.aggregation",
    "opentelemetry.sdk.metrics._internal.exemplar.exemplar_reservoir",
    "opentelemetry.sdk.metrics._internal.measurement_consumer",
)


def make_locks_reentrant() -> None:
    """Let these modules create reentrant locks from now on. Call it before any provider is created.

    `Lock` is a private name there: a module that has none in another version of the SDK is left as it is, and is named in a warning.
    """
    for name in _MODULES:
        module = internals.find_module(name)
        if module is not None and internals.find(name, "Lock") is threading.Lock:
            vars(module)["Lock"] = threading.RLock
