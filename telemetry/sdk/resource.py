"""The OpenTelemetry resource: service, version, environment and instance, the same for every signal."""

import logging
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from opentelemetry.sdk.environment_variables import OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION

from telemetry import semconv

_SUFFIX_LENGTH: Final = 12
_log = logging.getLogger(__name__)


def build_resource(name: str, version: str, environment: str, instance_id: str) -> Resource:
    """Build the resource. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` take precedence over the arguments.

    An instance id in `OTEL_RESOURCE_ATTRIBUTES` is the same for all workers, and for all that are started like them: it gets a
    suffix, so that each process has its own.

    A detector (`OTEL_EXPERIMENTAL_RESOURCE_DETECTORS`) may name another schema, which then stays: the SDK does not merge
    resources of two schemas.
    """
    defaults = {
        SERVICE_NAME: name,
        SERVICE_VERSION: version,
        semconv.DEPLOYMENT_ENVIRONMENT: environment,
        SERVICE_INSTANCE_ID: instance_id,
    }
    configured = _environment_attributes(os.environ)
    resource = Resource.create({key: value for key, value in defaults.items() if key not in configured})
    attributes = {**resource.attributes, SERVICE_INSTANCE_ID: own_instance_id(instance_id)}
    return Resource(attributes, resource.schema_url or semconv.SCHEMA_URL)


def own_instance_id(instance_id: str) -> str:
    """The instance id of this process, with what `OTEL_RESOURCE_ATTRIBUTES` says before it."""
    given = _environment_attributes(os.environ).get(SERVICE_INSTANCE_ID)
    return f"{given}-{instance_id.replace('-', '')[:_SUFFIX_LENGTH]}" if given else instance_id


def warn_if_pinned(resource: Resource) -> None:
    """Say that the instance id of the environment has a suffix."""
    if _environment_attributes(os.environ).get(SERVICE_INSTANCE_ID):
        _log.warning(
            "OTEL_RESOURCE_ATTRIBUTES sets service.instance.id, which several processes may have: each adds a suffix of its own."
            " This one is %s.",
            resource.attributes[SERVICE_INSTANCE_ID],
        )


def _environment_attributes(environment: Mapping[str, str]) -> dict[str, str]:
    pairs = [pair.split("=", 1) for pair in environment.get(OTEL_RESOURCE_ATTRIBUTES, "").split(",") if "=" in pair]
    attributes = {name.strip(): unquote(value.strip()) for name, value in pairs}
    return attributes | ({SERVICE_NAME: name} if (name := environment.get(OTEL_SERVICE_NAME)) else {})
