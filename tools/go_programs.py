"""Programs of Go modules that the tests run, built once and kept between runs: the Collector with what `otel-collector.yaml` names, by its
own builder; Prometheus and promtool of the version that docker-compose.yml names; the reader of Compose files that
`docker compose` itself has; and a check of dashboards by Grafana's own types. The stores of the profile `open` take longer, and are
built only where they are asked for: VictoriaLogs and Jaeger.

`python -m tools.go_programs` builds what is not there yet; it takes minutes, and the Go module proxy. `--stores` builds the stores, too.
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


def collector_version() -> str:
    found: str = yaml.safe_load(BUILDER.read_text("utf-8"))["dist"]["version"]
    return found


def collector() -> Path:
    """Where the program is, or will be. Another `builder.yaml` is another program."""
    return kept("otelcol", BUILDER)


def compose_reader() -> Path:
    return kept("compose", *sorted(READER.iterdir()))


def image_version(service: str) -> str:
    """The version in the image's tag in docker-compose.yml, without its `v`: such as 3.16.0."""
    image: str = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"][service]["image"]
    return image.rpartition(":")[2].removeprefix("v")


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


def prometheus() -> Path:
    return cache() / f"prometheus-{prometheus_version()}"


def promtool() -> Path:
    return cache() / f"promtool-{prometheus_version()}"


def victorialogs() -> Path:
    return cache() / f"victorialogs-{image_version('victorialogs')}"


def jaeger() -> Path:
    return cache() / f"jaeger-{image_version('jaeger')}"


def dashboard_checker() -> Path:
    return kept("dashboards", *sorted(CHECKER.iterdir()))


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
    ]


def build_stores() -> list[Path]:
    """Returns the programs of the profile `open`.

    Raises:
        NotBuiltError: as in `build_all`.
    """
    victorialogs_source = victorialogs_module(image_version("victorialogs"))
    jaeger_source = jaeger_module(image_version("jaeger"))
    return [
        _build(victorialogs(), partial(_make_of_module, victorialogs_source, "./app/victoria-logs")),
        _build(jaeger(), partial(_make_of_module, jaeger_source, "./cmd/jaeger")),
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


def _make_of_prometheus(command: str, go: str, directory: str) -> Path:
    """Without service discovery, which is half of its packages."""
    version = f"-X github.com/prometheus/common/version.Version={prometheus_version()}"
    options = ("-tags", "remove_all_sd", "-ldflags", version)
    return _make_of_module(prometheus_module(prometheus_version()), f"./cmd/{command}", go, directory, *options)


def _make_of_module(module: str, package: str, go: str, directory: str, *options: str) -> Path:
    """In the module's own directory, with the versions of its own go.sum."""
    source: str = json.loads(_run(directory, go, "mod", "download", "-json", module))["Dir"]
    program = Path(directory, "built")
    # A workspace, where there is one, names modules that are not in it.
    build = (go, "build", "-mod=readonly", "-buildvcs=false", *options)
    _run(source, *build, "-o", str(program), package, GOWORK="off")
    return program


def _run(directory: str, *command: str, **environment: str) -> str:
    return run(directory, *command, CGO_ENABLED="0", **environment)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.go_programs", description=__doc__)
    parser.add_argument(
        "--stores", action="store_true", help="also the stores of the profile open: VictoriaLogs, Jaeger"
    )
    arguments = parser.parse_args()
    try:
        for program in (*build_all(), *(build_stores() if arguments.stores else ())):
            sys.stdout.write(f"{program}\n")
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
