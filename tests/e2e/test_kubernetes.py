"""The manifests of Kubernetes: rendered by kustomize, held against its schemas, and read by kube-score."""

import json
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest

from tests.support.kubernetes import OVERLAYS, objects, render

pytestmark = pytest.mark.e2e
VERSION = "1.37"
# Their definitions are the Prometheus Operator's; `make kube-apiserver` reads them by those.
OF_THE_OPERATOR = {"ServiceMonitor", "PrometheusRule"}
ALL_OK = 10
OPTIONAL = ("container-seccomp-profile", "container-ports-check")
IGNORED = {
    "container-image-pull-policy": "It wants Always. Then no pod starts without the registry, and a tag is one image for ever.",
}


@pytest.fixture(params=[(overlay, component) for overlay in OVERLAYS for component in (False, True)], ids=str)
def rendered(request: pytest.FixtureRequest, kustomize: Path, tmp_path: Path) -> str:
    overlay, component = request.param
    return render(kustomize, overlay, tmp_path, component=component)


def test_kubernetes_knows_every_field(rendered: str):
    found = objects(rendered)
    its_own = [each for each in found if each["kind"] not in OF_THE_OPERATOR]

    for each in its_own:
        kubernetes_validate.validate(each, VERSION, strict=True)
    assert {each["kind"] for each in its_own} >= {"ConfigMap", "NetworkPolicy", "Service", "StatefulSet"}


def test_kube_score_finds_nothing_that_has_no_reason(rendered: str, kube_score: Path):
    flags = [f"--ignore-test={name}" for name in IGNORED] + [f"--enable-optional-test={name}" for name in OPTIONAL]
    command = [kube_score, "score", "--output-format=json", "--kubernetes-version=v1.37", *flags, "-"]

    done = subprocess.run(command, input=rendered, capture_output=True, text=True, timeout=60, check=False)

    scored = json.loads(done.stdout)
    findings = [
        (each["object_name"], check["check"]["id"], check["comments"])
        for each in scored
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < ALL_OK
    ]
    assert findings == []
    assert {each["type_meta"]["kind"] for each in scored} >= {"StatefulSet", "Service", "NetworkPolicy"}


def test_the_pods_read_the_rendered_variables(rendered: str):
    by_kind = {each["kind"]: each for each in objects(rendered)}
    [container] = by_kind["StatefulSet"]["spec"]["template"]["spec"]["containers"]

    config = by_kind["ConfigMap"]
    assert container["envFrom"][0]["configMapRef"]["name"] == config["metadata"]["name"] != "sovani"
    assert config["data"]["DATA_DIR"] == "/var/lib/sovani/data"
    assert container["image"].startswith("sovani:")


def test_the_overlays_differ_in_the_database_and_the_number_of_pods(kustomize: Path, tmp_path: Path):
    sqlite, postgresql = (
        {each["kind"]: each for each in objects(render(kustomize, overlay, tmp_path, component=True))}
        for overlay in OVERLAYS
    )

    assert (sqlite["StatefulSet"]["spec"]["replicas"], postgresql["StatefulSet"]["spec"]["replicas"]) == (1, 2)
    assert "DATABASE_URL" not in postgresql["ConfigMap"]["data"]
    assert sqlite["ConfigMap"]["data"]["DATABASE_URL"].startswith("sqlite:////var/lib/sovani/data/")
    assert postgresql.keys() - sqlite.keys() == {"PodDisruptionBudget"}  # of one pod it would forbid to drain its host
    assert 5432 in ports(postgresql["NetworkPolicy"]) - ports(sqlite["NetworkPolicy"])


def ports(policy):
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
