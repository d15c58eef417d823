"""Programs of Go modules that the tests run, built once and kept between runs: the Collector with what `otel-collector.yaml` names, by its
own builder; Prometheus and promtool of the version that docker-compose.yml names; the reader of Compose files that
`docker compose` itself has; a check of dashboards by Grafana's own types; kustomize and kube-score.

`python -m tools.go_programs` builds what is not there yet; it takes minutes, and the Go module proxy.
`python -m tools.go_programs --kube-apiserver` builds the API server of Kubernetes and kubectl instead.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from tools.build_cache import NotBuiltError, cache, kept, run

COMPOSE: Final = Path(__file__).parent.parent / "docker-compose.yml"
BUILDER: Final = Path(__file__).parent / "collector" / "builder.yaml"
READER: Final = Path(__file__).parent / "compose"
CHECKER: Final = Path(__file__).parent / "dashboards"
KUBERNETES: Final = Path(__file__).parent / "kubernetes"
KUSTOMIZE: Final = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2"
KUBE_SCORE: Final = "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"


def collector_version() -> str:
    found: str = yaml.safe_load(BUILDER.read_text("utf-8"))["dist"]["version"]
    return found


def collector() -> Path:
    """Where the program is, or will be. Another `builder.yaml` is another program."""
    return kept("otelcol", BUILDER)


def compose_reader() -> Path:
    return kept("compose", *sorted(READER.iterdir()))


def prometheus_version() -> str:
    """Without the `v` of the image's tag, such as 3.16.0."""
    image: str = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["prometheus"]["image"]
    return image.rpartition(":v")[2]


def prometheus_module(version: str) -> str:
    """The Go module of a version: that of 3.16.0 is v0.316.0."""
    major, minor, patch = version.split(".")
    return f"github.com/prometheus/prometheus@v0.{major}{int(minor):02}.{patch}"


def prometheus() -> Path:
    return cache() / f"prometheus-{prometheus_version()}"


def promtool() -> Path:
    return cache() / f"promtool-{prometheus_version()}"


def dashboard_checker() -> Path:
    return kept("dashboards", *sorted(CHECKER.iterdir()))


def kustomize() -> Path:
    return cache() / f"kustomize-{KUSTOMIZE.partition('@v')[2]}"


def kube_score() -> Path:
    return cache() / f"kube-score-{KUBE_SCORE.partition('@v')[2]}"


def kube_apiserver() -> Path:
    return kept("kube-apiserver", *sorted(KUBERNETES.iterdir()))


def kubectl() -> Path:
    return kept("kubectl", *sorted(KUBERNETES.iterdir()))


def build_kube_apiserver() -> list[Path]:
    """Returns the API server and kubectl. They are apart from the others, since they take long.

    Raises:
        NotBuiltError: there is no Go here, or a step failed.
    """
    return [
        _build(kube_apiserver(), partial(_make_of_kubernetes, "kube-apiserver")),
        _build(kubectl(), partial(_make_of_kubernetes, "kubectl")),
    ]


def build_all() -> list[Path]:
    """Returns the programs.

    Raises:
        NotBuiltError: there is no Go here, or a step failed.
    """
    return [
        _build(collector(), _make_collector),
        _build(compose_reader(), partial(_make_own, READER)),
        _build(dashboard_checker(), partial(_make_own, CHECKER)),
        _build(prometheus(), partial(_make_of_prometheus, "prometheus")),
        _build(promtool(), partial(_make_of_prometheus, "promtool")),
        _build(kustomize(), partial(_make_installed, KUSTOMIZE)),
        _build(kube_score(), partial(_make_installed, KUBE_SCORE)),
    ]


def _build(program: Path, make: Callable[[str, str], Path]) -> Path:
    if program.exists():
        return program
    if not (go := shutil.which("go")):
        raise NotBuiltError("Go is not on the PATH: it builds the programs that the tests run (https://go.dev/dl).")
    sys.stderr.write(f"Building {program.name} …\n")
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        built = make(go, directory)
        # In two steps, so that who looks meanwhile sees it whole or not at all.
        beside = program.with_name(f".{program.name}.{os.getpid()}")
        shutil.copy2(built, beside)
        beside.replace(program)
    return program


def _make_collector(go: str, directory: str) -> Path:
    _run(directory, go, "install", f"go.opentelemetry.io/collector/cmd/builder@v{collector_version()}", GOBIN=directory)
    _run(directory, f"{directory}/builder", f"--config={BUILDER}")
    dist = yaml.safe_load(BUILDER.read_text("utf-8"))["dist"]
    return Path(directory, dist["output_path"], dist["name"])


def _make_own(module: Path, go: str, directory: str) -> Path:
    _run(str(module), go, "build", "-mod=readonly", "-o", f"{directory}/{module.name}", ".")
    return Path(directory, module.name)


def _make_of_kubernetes(command: str, go: str, directory: str) -> Path:
    """Its main module cannot be installed by name: it replaces its parts by directories, which are modules of their own elsewhere."""
    package = f"k8s.io/kubernetes/cmd/{command}"
    _run(str(KUBERNETES), go, "build", "-mod=readonly", "-o", f"{directory}/{command}", package)
    return Path(directory, command)


def _make_installed(package: str, go: str, directory: str) -> Path:
    _run(directory, go, "install", package, GOBIN=directory)
    [program] = Path(directory).iterdir()
    return program


def _make_of_prometheus(command: str, go: str, directory: str) -> Path:
    """In the module's own directory, with the versions of its own go.sum."""
    module = prometheus_module(prometheus_version())
    source: str = json.loads(_run(directory, go, "mod", "download", "-json", module))["Dir"]
    version = f"-X github.com/prometheus/common/version.Version={prometheus_version()}"
    # Without service discovery, which is half of its packages; its workspace names modules that are not in it.
    build = (go, "build", "-mod=readonly", "-buildvcs=false", "-tags", "remove_all_sd", "-ldflags", version)
    _run(source, *build, "-o", f"{directory}/{command}", f"./cmd/{command}", GOWORK="off")
    return Path(directory, command)


def _run(directory: str, *command: str, **environment: str) -> str:
    return run(directory, *command, CGO_ENABLED="0", **environment)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.go_programs", description=__doc__)
    parser.add_argument("--kube-apiserver", action="store_true", help="build the API server of Kubernetes and kubectl")
    build = build_kube_apiserver if parser.parse_args().kube_apiserver else build_all
    try:
        for program in build():
            sys.stdout.write(f"{program}\n")
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
