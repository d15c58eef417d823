"""The resource: which service, which version, where, and which of its instances, said by every signal alike."""

import logging
import os
from collections.abc import Mapping

from opentelemetry.sdk.environment_variables import OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv._incubating.attributes.deployment_attributes import DEPLOYMENT_ENVIRONMENT_NAME
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION

_log = logging.getLogger(__name__)


def build_resource(name: str, version: str, environment: str, instance_id: str) -> Resource:
    """What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say comes first; the rest is filled in."""
    ours = {
        SERVICE_NAME: name,
        SERVICE_VERSION: version,
        DEPLOYMENT_ENVIRONMENT_NAME: environment,
        SERVICE_INSTANCE_ID: instance_id,
    }
    said = _environment_attributes(os.environ)
    return Resource.create({key: value for key, value in ours.items() if key not in said})


def _environment_attributes(environment: Mapping[str, str]) -> set[str]:
    pairs = environment.get(OTEL_RESOURCE_ATTRIBUTES, "").split(",")
    said = {pair.split("=", 1)[0].strip() for pair in pairs if "=" in pair}
    return said | ({SERVICE_NAME} if environment.get(OTEL_SERVICE_NAME) else set())
