"""`python -m tests.kube_apiserver`: whether the API server of Kubernetes takes the manifests of deploy/kubernetes.

It starts a real API server on etcd, with a namespace under the PodSecurity standard "restricted" and the kinds of the Prometheus
Operator, and applies each overlay there as a dry run. It prints what the server said, and exits 1 if it refused or warned.
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.kubernetes import OVERLAYS, objects, render
from tests.support.processes import Programs, eventually, free_port
from tools import go_programs

OPERATOR: Final = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
NAMESPACE: Final = "shop"
STARTED_WITHIN: Final = 300.0


@dataclass(frozen=True)
class Server:
    """A running API server, asked by kubectl."""

    url: str
    token: str
    home: Path

    def kubectl(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        address = (
            f"--server={self.url}",
            f"--token={self.token}",
            "--insecure-skip-tls-verify",
            "--kubeconfig=/dev/null",
        )
        return subprocess.run(
            [go_programs.kubectl(), *address, f"--cache-dir={self.home}/cache", *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *arguments: str, given: str | None = None) -> str:
        done = self.kubectl(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout


def main() -> int:
    if not shutil.which("etcd"):
        sys.stderr.write("etcd is not on the PATH: apt-get install etcd-server\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="apiserver-", ignore_cleanup_errors=True) as directory:
        programs = Programs(Path(directory))
        try:
            server = start(programs)
            prepare(server)
            findings = list(judge(server))
        finally:
            programs.kill()
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    sys.stdout.write(f"The API server has {len(findings)} complaints.\n")
    return 1 if findings else 0


def start(programs: Programs) -> Server:
    etcd = start_etcd(programs)
    key, token, port = programs.home / "key.pem", secrets.token_hex(), free_port()
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True, timeout=60)
    tokens = programs.write("tokens.csv", f"{token},admin,1,system:masters\n")
    flags = {
        "etcd-servers": etcd,
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "cert-dir": programs.home / "certificates",
        "service-account-issuer": "https://cluster.example",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
        "service-cluster-ip-range": "10.0.0.0/24",
        "token-auth-file": tokens,
        "authorization-mode": "RBAC",
    }
    command = [str(go_programs.kube_apiserver()), *(f"--{name}={value}" for name, value in flags.items())]
    started = programs.start_command(*command, port=port)
    server = Server(f"https://127.0.0.1:{port}", token, programs.home)

    def is_ready() -> bool:
        assert started.process.poll() is None, started.said()
        return server.kubectl("get", "--raw", "/readyz").returncode == 0

    eventually(is_ready, within=STARTED_WITHIN)
    return server


def start_etcd(programs: Programs) -> str:
    """Its address."""
    url, peers = f"http://127.0.0.1:{(port := free_port())}", f"http://127.0.0.1:{free_port()}"
    flags = {
        "data-dir": programs.home / "etcd",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }
    started = programs.start_command("etcd", *(f"--{name}={value}" for name, value in flags.items()), port=port)
    started.wait_for("/health")
    return url


def prepare(server: Server) -> None:
    """The operator's kinds, and a namespace in which a pod must be "restricted"."""
    found = json.loads(go("mod", "download", "-json", OPERATOR))["Dir"]
    kinds = [
        Path(found, "example/prometheus-operator-crd", f"monitoring.coreos.com_{name}.yaml")
        for name in ("servicemonitors", "prometheusrules")
    ]
    server.must("create", "--save-config=false", *(f"--filename={kind}" for kind in kinds))
    server.must("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    server.must("create", "namespace", NAMESPACE)
    standard = "pod-security.kubernetes.io"
    server.must("label", "namespace", NAMESPACE, f"{standard}/enforce=restricted", f"{standard}/warn=restricted")
    eventually(lambda: server.kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE).returncode == 0)


def judge(server: Server) -> Iterator[str]:
    """What the server says of each overlay, and of a pod as the StatefulSet would make it, which alone is enforced."""
    for overlay in OVERLAYS:
        for component in (False, True):
            rendered = render(go_programs.kustomize(), overlay, server.home, component=component)
            yield from refusals(server, f"{overlay}, {component=}", rendered)
            yield from refusals(server, f"a pod of {overlay}", json.dumps(pod_of(rendered)))


def refusals(server: Server, name: str, manifest: str) -> Iterator[str]:
    arguments = ("apply", "--dry-run=server", "--validate=strict", "--namespace", NAMESPACE, "--filename=-")
    done = server.kubectl(*arguments, given=manifest)
    sys.stdout.write(f"{name}:\n{done.stdout}")
    if done.returncode or done.stderr:
        yield f"{name}: {done.stderr}"


def pod_of(rendered: str) -> dict[str, Any]:
    [template] = [each["spec"]["template"] for each in objects(rendered) if each["kind"] == "StatefulSet"]
    spec = {**template["spec"], "volumes": [*template["spec"]["volumes"], {"name": "data", "emptyDir": {}}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sovani-0", **template["metadata"]}, "spec": spec}


def go(*arguments: str) -> str:
    return subprocess.run(["go", *arguments], check=True, capture_output=True, text=True, timeout=300).stdout


if __name__ == "__main__":
    sys.exit(main())
