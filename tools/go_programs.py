"""Programs of Go modules that the tests run, built once and kept between runs: where each is, and which of them a test needs.

`python -m tools.go_programs` builds what `make e2e` needs and is not there yet; it takes minutes, and the Go module proxy: the Collector
with what `otel-collector.yaml` names, by its own builder; Prometheus and promtool of the version that docker-compose.yml names; the
reader of Compose files that `docker compose` itself has; a check of dashboards by Grafana's own types; kustomize and kube-score.
The options build what takes longer.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from tools import go_builds
from tools.build_cache import NotBuiltError, cache, kept
from tools.go_builds import build_once

COMPOSE: Final = Path(__file__).parent.parent / "docker-compose.yml"
BUILDER: Final = Path(__file__).parent / "collector" / "builder.yaml"
READER: Final = Path(__file__).parent / "compose"
CHECKER: Final = Path(__file__).parent / "dashboards"
KUBERNETES: Final = Path(__file__).parent / "kubernetes"
KUSTOMIZE: Final = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2"
KUBE_SCORE: Final = "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"
COMPOSE_VERSION: Final = "2.40.3"


def image_version(service: str) -> str:
    """The version in the image's tag in docker-compose.yml, without its `v`: such as 3.16.0."""
    image: str = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"][service]["image"]
    return image.rpartition(":")[2].removeprefix("v")


def collector_version() -> str:
    found: str = yaml.safe_load(BUILDER.read_text("utf-8"))["dist"]["version"]
    return found


def prometheus_version() -> str:
    return image_version("prometheus")


def prometheus_module(version: str) -> str:
    """The Go module of a version: that of 3.16.0 is v0.316.0."""
    major, minor, patch = version.split(".")
    return f"github.com/prometheus/prometheus@v0.{major}{int(minor):02}.{patch}"


def victorialogs_module(version: str) -> str:
    return f"github.com/VictoriaMetrics/VictoriaLogs@v{version}"


def jaeger_module(version: str) -> str:
    """The Go module of a version: that of 2.13.0 is v1.76.0. Up to it each release of Jaeger 2 also has a number of Jaeger 1."""
    _, minor, patch = version.split(".")
    return f"github.com/jaegertracing/jaeger@v1.{int(minor) + 63}.{patch}"


def collector() -> Path:
    """Where the program is, or will be. Another `builder.yaml` is another program."""
    return kept("otelcol", BUILDER)


def compose_reader() -> Path:
    return kept("compose", *sorted(READER.iterdir()))


def compose() -> Path:
    """`docker compose`, as a plugin of the engine's client."""
    return cache() / f"docker-compose-{COMPOSE_VERSION}"


def prometheus() -> Path:
    return cache() / f"prometheus-{prometheus_version()}"


def promtool() -> Path:
    return cache() / f"promtool-{prometheus_version()}"


def alertmanager() -> Path:
    return cache() / f"alertmanager-{image_version('alertmanager')}"


def amtool() -> Path:
    return cache() / f"amtool-{image_version('alertmanager')}"


def victorialogs() -> Path:
    return cache() / f"victorialogs-{image_version('victorialogs')}"


def jaeger() -> Path:
    return cache() / f"jaeger-{image_version('jaeger')}"


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


def build_all() -> list[Path]:
    """Build the programs of `make e2e`, and return where they are.

    Raises:
        NotBuiltError: there is no Go here, or a step failed. So do the other functions that build.
    """
    return [
        *_build_shared(),
        build_once(compose_reader(), partial(go_builds.make_own, READER)),
        build_once(dashboard_checker(), partial(go_builds.make_own, CHECKER)),
        build_once(kustomize(), partial(go_builds.make_installed, KUSTOMIZE)),
        build_once(kube_score(), partial(go_builds.make_installed, KUBE_SCORE)),
    ]


def build_for_stack() -> list[Path]:
    """Build the programs of the containers (`tools.stack`)."""
    version = image_version("alertmanager")
    return [
        *_build_shared(),
        build_once(alertmanager(), partial(go_builds.make_of_alertmanager, version, "alertmanager")),
        build_once(amtool(), partial(go_builds.make_of_alertmanager, version, "amtool")),
        build_once(compose(), partial(go_builds.make_compose, COMPOSE_VERSION)),
    ]


def build_stores() -> list[Path]:
    """Build the stores of the Compose profile `open`."""
    logs, traces = victorialogs_module(image_version("victorialogs")), jaeger_module(image_version("jaeger"))
    return [
        build_once(victorialogs(), partial(go_builds.make_of_module, logs, "./app/victoria-logs")),
        build_once(jaeger(), partial(go_builds.make_of_module, traces, "./cmd/jaeger")),
    ]


def are_stores_built() -> bool:
    return victorialogs().exists() and jaeger().exists()


def build_kube_apiserver() -> list[Path]:
    """Build the API server of Kubernetes, and kubectl."""
    make = partial(go_builds.make_of_kubernetes, KUBERNETES)
    return [build_once(program(), partial(make, name)) for name, program in _OF_KUBERNETES.items()]


def _build_shared() -> list[Path]:
    version = prometheus_version()
    module = prometheus_module(version)
    return [
        build_once(collector(), partial(go_builds.make_collector, BUILDER)),
        build_once(prometheus(), partial(go_builds.make_of_prometheus, module, version, "prometheus")),
        build_once(promtool(), partial(go_builds.make_of_prometheus, module, version, "promtool")),
    ]


_OF_KUBERNETES: Final[Mapping[str, Callable[[], Path]]] = {"kube-apiserver": kube_apiserver, "kubectl": kubectl}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.go_programs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choice = parser.add_mutually_exclusive_group()
    for option, what, build in (
        ("--stack", "those of the containers", build_for_stack),
        ("--stores", "VictoriaLogs and Jaeger, and what feeds them", lambda: [*_build_shared(), *build_stores()]),
        ("--kube-apiserver", "the API server of Kubernetes, and kubectl", build_kube_apiserver),
    ):
        choice.add_argument(option, dest="build", action="store_const", const=build, help=f"build {what} instead")
    build_chosen: Callable[[], list[Path]] = parser.parse_args().build or build_all
    try:
        for program in build_chosen():
            sys.stdout.write(f"{program}\n")
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
