"""Compose and the image: of files, variables, users and probes that there are; nothing published, nothing by default."""

import re

import pytest
import yaml

from service.settings import Settings
from tests.support.processes import ROOT
from tools import go_programs

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)")


def test_every_file_that_compose_mounts_is_there():
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    volumes = {mount.split(":")[0] for mount in mounts if not mount.startswith("./")}

    assert [file for file in files if not (ROOT / file).exists()] == []
    assert volumes == set(COMPOSE["volumes"])
    assert all(mount.endswith(":ro") for mount in mounts if mount.startswith("./"))


def test_every_variable_of_compose_is_explained():
    used = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))
    explained = "".join((ROOT / name).read_text() for name in (".env.example", "deploy/compose.env.example"))

    assert used - set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", explained, re.MULTILINE)) == set()


@pytest.mark.parametrize("name", ["sovani", "scheduler"])
def test_what_compose_sets_for_the_service_are_its_variables(name):
    known = {field.upper() for field in Settings.model_fields}
    environment = SERVICES[name]["environment"]

    assert {each for each in environment if not each.startswith("OTEL_")} - known == set()
    assert (environment["ENVIRONMENT"], environment["SANDBOX"]) == ("production", "false")


def test_every_variable_of_the_collector_is_handed_to_it():
    read = set(re.findall(r"\$\{env:([A-Z0-9_]+):-", (ROOT / "otel-collector.yaml").read_text()))
    given = SERVICES["otel-collector"]["environment"]

    assert given.keys() - read == set()
    assert {each for each in read - given.keys() if not each.startswith("COLLECTOR_")} == set()


def test_nothing_is_published_but_the_api_and_pages_on_loopback():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    of_a_profile = {name for name in published if SERVICES[name].get("profiles")}

    assert published == {
        "sovani": ["127.0.0.1:8080:8080"],
        "grafana": ["127.0.0.1:3000:3000"],
        "jaeger": ["127.0.0.1:16686:16686"],
        "victorialogs": ["127.0.0.1:9428:9428"],
    }
    assert of_a_profile == {"jaeger", "victorialogs"}


def test_the_stores_of_the_profile_are_started_with_it_alone_and_nothing_waits_for_them():
    optional = {name for name, service in SERVICES.items() if service.get("profiles")}
    waited = {other for service in SERVICES.values() for other in service.get("depends_on", {})}

    assert {name: SERVICES[name]["profiles"] for name in optional} == {"jaeger": ["open"], "victorialogs": ["open"]}
    assert waited & optional == set()


def test_the_variables_of_the_profile_name_its_stores():
    text = (ROOT / "deploy/compose.env.example").read_text().partition("COMPOSE_PROFILES=open")[2]
    addresses = dict(re.findall(r"^#(\w+_ENDPOINT)=http://(\w+):\d+", text, re.MULTILINE))

    assert addresses == {"TEMPO_OTLP_ENDPOINT": "jaeger", "LOKI_OTLP_ENDPOINT": "victorialogs"}


def test_no_password_has_a_default():
    text = (ROOT / "docker-compose.yml").read_text()

    secret = re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN)\w*)(:[-?])?", text)
    assert {name for name, how in secret if how != ":?"} == set()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_pinned_and_has_limits(name):
    service = SERVICES[name]

    assert re.fullmatch(r"[a-z0-9./-]+:(v?\d+\.\d+[\w.-]*|local)", service["image"])
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= limits.keys()


# The images of the Collector and of VictoriaLogs are nothing but the program; the service's check is its image's; the last one ends at once.
WITHOUT = {"otel-collector", "victorialogs", "sovani", "scheduler", "collector-volume"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - WITHOUT))
def test_every_container_says_how_it_is(name):
    assert {"test", "interval", "timeout", "retries", "start_period"} <= SERVICES[name]["healthcheck"].keys()


def test_what_is_waited_for_says_how_it_is():
    waited = {
        (other, how["condition"])
        for service in SERVICES.values()
        for other, how in service.get("depends_on", {}).items()
    }

    assert {other for other, how in waited if how == "service_healthy"} & WITHOUT == set()
    assert waited <= {(other, "service_healthy") for other in SERVICES} | {
        ("collector-volume", "service_completed_successfully")
    }


def test_the_collector_that_is_tested_is_the_one_that_is_deployed():
    assert SERVICES["otel-collector"]["image"].endswith(f":{go_programs.collector_version()}")


def test_every_component_of_the_collectors_file_is_built_and_no_other():
    file = yaml.safe_load((ROOT / "otel-collector.yaml").read_text())
    modules = yaml.safe_load(go_programs.BUILDER.read_text())
    kinds = ("extension", "receiver", "processor", "exporter")
    built = {each["gomod"].split()[0].rsplit("/", 1)[1] for kind in kinds for each in modules[f"{kind}s"]}
    named = {
        f"{component.partition('/')[0].replace('_', '')}{kind}" for kind in kinds for component in file[f"{kind}s"]
    }

    assert {each if each != "filestorage" else "filestorageextension" for each in built} == named


def test_the_image_runs_as_nobody_with_checked_packages_and_is_asked_whether_it_lives():
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"HEALTHCHECK .*\n.*?/livez", DOCKERFILE)
    assert DOCKERFILE.count("\nFROM ") + DOCKERFILE.startswith("FROM ") == 2


def test_the_image_can_back_up_the_database_that_compose_starts():
    """pg_dump refuses a server that is newer than itself; which one the image has is said by its Debian."""
    clients = {"bookworm": 15, "trixie": 17}
    [debian] = set(re.findall(r"^FROM debian:(\w+)-slim", DOCKERFILE, re.MULTILINE))
    server = re.fullmatch(r"postgres:(\d+)\.\d+-\w+", SERVICES["postgres"]["image"])

    assert int(server[1]) <= clients[debian]


def test_every_path_that_the_image_copies_is_there():
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)

    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
