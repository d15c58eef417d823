"""The `service.instance.id` of a forked child: another one than its parent's, on all signals."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID

from telemetry.compatibility import internals
from telemetry.failsafe import failsafe
from telemetry.processes import forks
from telemetry.redaction.exporters import redacted_resource
from telemetry.threads.daemon import start_daemon

_SDK_TIMEOUT: Final = 1.0
_PAUSE: Final = 0.005


class ForkedIdentity(forks.ForkAware):
    """Gives the providers the id of the child.

    The SDK gives a child a random id in its own handler of forks, which comes later than ours: this thread waits for it.
    """

    def __init__(self, providers: Iterable[Any], instance_id: Callable[[], str]) -> None:
        """Create it.

        Args:
            providers: the SDK's, of traces, metrics and logs.
            instance_id: the id of the process that calls it; may use the disk.
        """
        self._providers = list(providers)
        self._instance_id = instance_id
        forks.register(self)

    def restart_in_child(self) -> None:
        inherited = [_resource(provider) for provider in self._providers]
        start_daemon(partial(failsafe(self._renew), inherited), "instance-id")

    def _renew(self, inherited: list[Any]) -> None:
        own = redacted_resource(Resource({SERVICE_INSTANCE_ID: self._instance_id()}))
        deadline = time.monotonic() + _SDK_TIMEOUT
        for provider, former in zip(self._providers, inherited, strict=True):
            while _resource(provider) is former and time.monotonic() < deadline:
                time.sleep(_PAUSE)
            try:
                provider._update_resource(own)  # noqa: SLF001  # the SDK's own handler of forks calls it
            except AttributeError as error:
                internals.note_missing(str(error.name))


def _resource(provider: Any) -> Any:
    config = getattr(provider, "_sdk_config", provider)
    return getattr(config, "resource", None)
