import subprocess
import sys
import uuid

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv.schemas import Schemas

from telemetry import semconv
from telemetry.sdk.instance import InstanceSlot
from telemetry.sdk.resource import build_resource
from tests.support.processes import ROOT

HOLDER = """
import sys
from pathlib import Path
from telemetry.sdk.instance import InstanceSlot
instance = InstanceSlot(Path(sys.argv[1]))
print(instance.id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def instance_of():
    made = []

    def make(directory):
        made.append(InstanceSlot(directory))
        return made[-1]

    yield make
    for instance in made:
        instance.release()


def test_an_instance_that_comes_back_is_the_same(tmp_path, instance_of):
    first = instance_of(tmp_path)
    first.release()

    assert instance_of(tmp_path).id == first.id


def test_instances_that_run_at_once_have_different_ids(tmp_path, instance_of):
    ids = [instance_of(tmp_path).id for _ in range(5)]

    assert len(set(ids)) == 5


def test_a_new_instance_takes_the_first_free_slot(tmp_path, instance_of):
    first, second, third = (instance_of(tmp_path) for _ in range(3))
    second.release()

    assert instance_of(tmp_path).id == second.id
    assert len({first.id, second.id, third.id}) == 3


def test_two_directories_are_two_instances(tmp_path, instance_of):
    assert instance_of(tmp_path / "a").id != instance_of(tmp_path / "b").id


def test_a_directory_by_another_way_is_the_same(tmp_path, instance_of):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first = instance_of(tmp_path / "real")
    first.release()

    assert instance_of(tmp_path / "link").id == first.id


def test_a_process_that_is_killed_gives_its_slot_back(tmp_path, instance_of):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    theirs = process.stdout.readline().strip()
    ours = instance_of(tmp_path)

    process.kill()
    process.communicate(timeout=10)

    assert ours.id != theirs
    assert instance_of(tmp_path).id == theirs


def test_a_directory_that_cannot_be_used_costs_the_stability_and_one_warning(tmp_path, instance_of, caplog):
    (tmp_path / "file").write_text("")

    first, second = instance_of(tmp_path / "file"), instance_of(tmp_path / "file")

    assert first.id != second.id
    assert uuid.UUID(first.id)
    assert len(caplog.records) == 2
    assert "No stable instance id" in caplog.messages[0]
    assert "Not a directory" in caplog.messages[0]


def test_when_every_slot_is_taken_the_id_is_a_new_one(tmp_path, instance_of, monkeypatch, caplog):
    monkeypatch.setattr("telemetry.sdk.instance._MAX_SLOTS", 1)
    first = instance_of(tmp_path)

    second = instance_of(tmp_path)

    assert first.id != second.id
    assert "every slot is taken" in caplog.text


def test_releasing_more_than_once_is_harmless(tmp_path, instance_of):
    instance = instance_of(tmp_path)

    instance.release()
    instance.release()


def test_only_the_owner_may_read_the_directory(tmp_path, instance_of):
    instance_of(tmp_path / "data")

    assert (tmp_path / "data" / "instances").stat().st_mode & 0o777 == 0o700


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
    assert attributes["service.instance.id"] == "pod-1"
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
