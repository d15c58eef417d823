"""The manifests of Kubernetes: of variables, probes, directories and times that the service has, and of the rules of Prometheus."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.generate.__main__ import OPERATOR_RULES, made
from service.bootstrap import FLUSH_TIMEOUT
from service.cli.serve import GRACEFUL_SHUTDOWN_SECONDS
from service.settings import Settings
from tests.support.processes import ROOT
from tools import go_programs

KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted((KUBERNETES / "overlays").iterdir())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KNOWN = {field.upper() for field in Settings.model_fields}


def documents(path: Path):
    return list(yaml.safe_load_all(path.read_text()))


def variables(directory: Path) -> dict[str, str]:
    [kustomization] = documents(directory / "kustomization.yaml")
    pairs = [pair for each in kustomization.get("configMapGenerator", ()) for pair in each["literals"]]
    return dict(pair.split("=", 1) for pair in pairs)


[PODS] = documents(KUBERNETES / "base/statefulset.yaml")
POD = PODS["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
MOUNTS = {mount["name"]: Path(mount["mountPath"]) for mount in CONTAINER["volumeMounts"]}
BASE = variables(KUBERNETES / "base")


def test_the_probes_are_those_that_there_are():
    probes = {name: CONTAINER[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert probes == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert PODS["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"] == "/metrics"


def test_a_pod_has_the_time_that_the_service_needs_to_stop():
    [*_, pause] = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    grace = int(BASE.get("JOB_GRACE_SECONDS", Settings.model_fields["job_grace_seconds"].default))

    # Requests and jobs end at the same time; half as long again for a slow machine.
    needed = int(pause) + max(grace, GRACEFUL_SHUTDOWN_SECONDS) + FLUSH_TIMEOUT
    assert POD["terminationGracePeriodSeconds"] >= 1.5 * needed


def test_a_pod_has_no_rights():
    user, group = re.search(r"^USER (\d+):(\d+)", DOCKERFILE, re.MULTILINE).groups()

    assert POD["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "fsGroup": int(group),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (POD["automountServiceAccountToken"], POD["enableServiceLinks"]) == (False, False)


def test_the_service_makes_its_directories_itself_one_level_below_the_volumes():
    """A volume's own directory is open to the pod's group, and belongs to root."""
    assert Path(BASE["DATA_DIR"]).parent == MOUNTS["data"]
    assert Path(BASE["LOG_DIR"]).parent == MOUNTS["logs"]
    database = variables(KUBERNETES / "overlays/sqlite")["DATABASE_URL"].removeprefix("sqlite:///")
    assert Path(database).parent == Path(BASE["DATA_DIR"])


def test_the_image_writes_temporary_files_into_a_volume():
    [temporary] = re.findall(r"TMPDIR=(\S+)", DOCKERFILE)

    assert Path(temporary) in MOUNTS.values()


@pytest.mark.parametrize("directory", [KUBERNETES / "base", *OVERLAYS], ids=lambda path: path.name)
def test_the_variables_are_the_services(directory):
    given = variables(directory)

    assert {name for name in given if not name.startswith("OTEL_")} - KNOWN == set()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in given  # there is no Collector in these files


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_runs_the_version_that_this_is(overlay):
    [kustomization] = documents(overlay / "kustomization.yaml")
    [version] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert kustomization["images"] == [{"name": CONTAINER["image"], "newName": "sovani", "newTag": version}]


def test_the_operators_rules_are_those_of_prometheus():
    [rule] = documents(OPERATOR_RULES)
    files = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    by_name = {group["name"]: group for group in groups}

    assert len(by_name) == len(groups)
    assert {group["name"]: group for group in rule["spec"]["groups"]} == by_name
    assert "https://wiki.example/#runlost" in made("https://wiki.example/")[OPERATOR_RULES]


def test_the_operator_scrapes_the_pods_as_the_job_that_the_rules_name():
    [monitor] = documents(OPERATOR_RULES.with_name("servicemonitor.yaml"))
    services = {each["metadata"]["name"]: each for each in documents(KUBERNETES / "base/services.yaml")}
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    [chosen] = [name for name, each in services.items() if selected <= each["metadata"]["labels"].items()]
    [endpoint] = monitor["spec"]["endpoints"]

    assert chosen == PODS["spec"]["serviceName"]
    assert services[chosen]["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "sovani-api"
    assert endpoint["port"] in {port["name"] for port in services[chosen]["spec"]["ports"]}


def test_the_api_server_that_is_tested_has_parts_of_its_own_version():
    """Its go.mod names each part by hand: a new version changes all of them."""
    text = (go_programs.KUBERNETES / "go.mod").read_text()
    [minor] = re.findall(r"^\s*(?:require )?k8s\.io/kubernetes v1\.(\S+)", text, re.MULTILINE)

    assert set(re.findall(r"=> k8s\.io/\S+ v0\.(\S+)", text)) == {minor}
