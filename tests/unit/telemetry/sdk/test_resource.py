import re
import uuid

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv.schemas import Schemas

from telemetry import semconv
from telemetry.sdk.resource import build_resource, warn_if_pinned


def resource_attributes():
    return build_resource("sovani", "1.2.3", "production", "the-instance").attributes


def test_the_resource_has_service_version_environment_and_instance():
    attributes = resource_attributes()

    assert attributes["service.name"] == "sovani"
    assert attributes["service.version"] == "1.2.3"
    assert attributes["deployment.environment.name"] == "production"
    assert attributes["service.instance.id"] == "the-instance"
    assert attributes["telemetry.sdk.language"] == "python"


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_SERVICE_NAME": ""}, "sovani"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs"}, "theirs"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs", "OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "nonsense,, =x,a"}, "sovani"),
    ],
)
def test_the_service_name_of_the_environment_takes_precedence(monkeypatch, environment, name):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)

    assert resource_attributes()["service.name"] == name


def test_the_resource_attributes_of_the_environment_take_precedence(monkeypatch):
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.version=9, deployment.environment.name = staging,service.instance.id=pod-1,team=a%20b",
    )

    attributes = resource_attributes()

    assert attributes["service.version"] == "9"
    assert attributes["deployment.environment.name"] == "staging"
    assert attributes["service.instance.id"] == "pod-1-theinstance"
    assert attributes["team"] == "a b"
    assert attributes["service.name"] == "sovani"


def test_the_resource_has_the_schema_of_the_conventions():
    assert build_resource("sovani", "1.2.3", "production", "the-instance").schema_url == semconv.SCHEMA_URL


def test_the_schema_is_the_newest_that_the_package_of_the_conventions_knows():
    assert list(Schemas)[-1].value == semconv.SCHEMA_URL


def test_a_detector_with_another_schema_does_not_cost_the_attributes(monkeypatch):
    """The SDK does not merge resources of two schemas."""
    theirs = Resource({"cloud.provider": "theirs"}, "https://opentelemetry.io/schemas/1.21.0")
    monkeypatch.setattr("opentelemetry.sdk.resources._DEFAULT_RESOURCE", theirs)

    resource = build_resource("sovani", "1.2.3", "production", "the-instance")

    assert resource.attributes["service.name"] == "sovani"
    assert resource.attributes["cloud.provider"] == "theirs"
    assert resource.schema_url == theirs.schema_url


@pytest.mark.parametrize(
    "variable", ["service.instance.id=pod-1", " service.instance.id = pod%2D1 ,team=a", "a,service.instance.id=pod-1"]
)
def test_an_instance_id_of_the_environment_has_a_suffix_of_the_process_and_one_line_says_so(
    monkeypatch, caplog, variable
):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", variable)
    one, other = (build_resource("sovani", "1", "production", str(uuid.uuid4())) for _ in range(2))
    ids = {each.attributes["service.instance.id"] for each in (one, other)}
    caplog.clear()

    warn_if_pinned(one)

    assert len(ids) == 2
    assert all(re.fullmatch(r"pod-1-[0-9a-f]{12}", each) for each in ids)
    [message] = caplog.messages
    assert one.attributes["service.instance.id"] in message


@pytest.mark.parametrize("variable", ["", "service.instance.id=", "service.instance.id= ,a=b", "service.instance=x"])
def test_an_instance_id_that_the_environment_leaves_empty_is_that_of_the_process(monkeypatch, caplog, variable):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", variable)

    resource = build_resource("sovani", "1", "production", "the-instance")
    warn_if_pinned(resource)

    assert resource.attributes["service.instance.id"] == "the-instance"
    assert caplog.messages == []
