"""The OpenTelemetry resource: service, version, environment and instance, the same for every signal."""

import logging
import os
from collections.abc import Mapping

from opentelemetry.sdk.environment_variables import OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION

from telemetry import semconv

_log = logging.getLogger(__name__)


def build_resource(name: str, version: str, environment: str, instance_id: str) -> Resource:
    """Build the resource. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` take precedence over the arguments.

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
    return Resource(resource.attributes, resource.schema_url or semconv.SCHEMA_URL)


def _environment_attributes(environment: Mapping[str, str]) -> set[str]:
    pairs = environment.get(OTEL_RESOURCE_ATTRIBUTES, "").split(",")
    names = {pair.split("=", 1)[0].strip() for pair in pairs if "=" in pair}
    return names | ({SERVICE_NAME} if environment.get(OTEL_SERVICE_NAME) else set())
