"""The resource: which service, which version, where, and which of its instances, said by every signal alike."""

import fcntl
import logging
import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from opentelemetry.sdk.environment_variables import OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv._incubating.attributes.deployment_attributes import DEPLOYMENT_ENVIRONMENT_NAME
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION

from telemetry import private

_MOST_SLOTS: Final = 1024
_log = logging.getLogger(__name__)


class Instance:
    """An instance id that is the same after a restart, and that no two living processes share.

    Each process holds the first free slot of its data directory by a file lock, which the system gives back however the
    process ends. The id is made from the host, the directory and the slot.
    """

    def __init__(self, data_dir: Path) -> None:
        self._lock: IO[str] | None = None
        self.id = str(uuid.uuid4())
        try:
            slot = self._take_a_slot(data_dir / "instances")
        except OSError as error:
            _log.warning("No stable instance id: %s cannot be used (%s).", data_dir, error.strerror)
        else:
            self.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{socket.gethostname()}{data_dir.resolve()}/{slot}"))

    def _take_a_slot(self, directory: Path) -> int:
        private.make_directory(directory)
        for slot in range(_MOST_SLOTS):
            private.make_file(directory / f"{slot}.lock")
            lock = (directory / f"{slot}.lock").open("a")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                self._lock = lock
                return slot
        raise OSError(os.EX_UNAVAILABLE, "every slot is taken")

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def in_use(data_dir: Path) -> bool:
    """Whether any process has a slot of the directory."""
    for lock in (data_dir / "instances").glob("*.lock"):
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def describe(name: str, version: str, environment: str, instance_id: str) -> Resource:
    """What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say comes first; the rest is filled in."""
    ours = {
        SERVICE_NAME: name,
        SERVICE_VERSION: version,
        DEPLOYMENT_ENVIRONMENT_NAME: environment,
        SERVICE_INSTANCE_ID: instance_id,
    }
    said = _said_by_the_environment(os.environ)
    return Resource.create({key: value for key, value in ours.items() if key not in said})


def _said_by_the_environment(environment: Mapping[str, str]) -> set[str]:
    pairs = environment.get(OTEL_RESOURCE_ATTRIBUTES, "").split(",")
    said = {pair.split("=", 1)[0].strip() for pair in pairs if "=" in pair}
    return said | ({SERVICE_NAME} if environment.get(OTEL_SERVICE_NAME) else set())
