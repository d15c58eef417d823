"""Programs of Go modules that the tests run, built once and kept between runs: the Collector with what `otel-collector.yaml` names, by its
own builder; Prometheus, promtool, Alertmanager and amtool of the versions that docker-compose.yml names; `docker compose`, and its reader of
Compose files; and a check of dashboards by Grafana's own types.

`python -m tools.go_programs` builds what is not there yet; it takes minutes, and the Go module proxy.
"""

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
COMPOSE_VERSION: Final = "2.40.3"


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
    return _version_of("prometheus")


def _version_of(service: str) -> str:
    image: str = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"][service]["image"]
    return image.rpartition(":v")[2]


def prometheus_module(version: str) -> str:
    """The Go module of a version: that of 3.16.0 is v0.316.0."""
    major, minor, patch = version.split(".")
    return f"github.com/prometheus/prometheus@v0.{major}{int(minor):02}.{patch}"


def prometheus() -> Path:
    return cache() / f"prometheus-{prometheus_version()}"


def promtool() -> Path:
    return cache() / f"promtool-{prometheus_version()}"


def alertmanager() -> Path:
    return cache() / f"alertmanager-{_version_of('alertmanager')}"


def amtool() -> Path:
    return cache() / f"amtool-{_version_of('alertmanager')}"


def compose() -> Path:
    """`docker compose`, as a plugin of the engine's client."""
    return cache() / f"docker-compose-{COMPOSE_VERSION}"


def dashboard_checker() -> Path:
    return kept("dashboards", *sorted(CHECKER.iterdir()))


def build_for_stack() -> list[Path]:
    """Those of the containers (`tools.stack`). Returns the programs.

    Raises:
        NotBuiltError: there is no Go here, or a step failed.
    """
    return [
        _build(collector(), _make_collector),
        _build(prometheus(), partial(_make_of_prometheus, "prometheus")),
        _build(promtool(), partial(_make_of_prometheus, "promtool")),
        _build(alertmanager(), partial(_make_of_alertmanager, "alertmanager")),
        _build(amtool(), partial(_make_of_alertmanager, "amtool")),
        _build(compose(), _make_compose),
    ]


def build_all() -> list[Path]:
    """Those of `make e2e`. Returns the programs.

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
    module = prometheus_module(prometheus_version())
    return _make_of_module(go, directory, module, command, "-tags", "remove_all_sd", "-ldflags", version)


def _make_of_alertmanager(command: str, go: str, directory: str) -> Path:
    """With an empty page in the place of its web interface, which the module does not contain."""
    version = _version_of("alertmanager")
    source = shutil.copytree(
        _source(go, directory, f"github.com/prometheus/alertmanager@v{version}"),
        Path(directory, "source"),
        copy_function=shutil.copyfile,
    )
    _run(str(source), "chmod", "-R", "u+w", ".")
    (source / "ui/app/dist").mkdir()
    (source / "ui/app/dist/index.html").touch()
    flag = f"-X github.com/prometheus/common/version.Version={version}"
    return _make_in(str(source), go, directory, command, "-ldflags", flag)


def _make_compose(go: str, directory: str) -> Path:
    flags = ("-ldflags", f"-X github.com/docker/compose/v2/internal.Version=v{COMPOSE_VERSION}")
    return _make_of_module(go, directory, f"github.com/docker/compose/v2@v{COMPOSE_VERSION}", ".", *flags)


def _make_of_module(go: str, directory: str, module: str, command: str, *flags: str) -> Path:
    return _make_in(_source(go, directory, module), go, directory, command, *flags)


def _make_in(source: str, go: str, directory: str, command: str, *flags: str) -> Path:
    """In the module's own directory, with the versions of its own go.sum."""
    # The workspace of a module may name others that are not in it.
    build = (go, "build", "-mod=readonly", "-buildvcs=false", *flags)
    _run(source, *build, "-o", f"{directory}/program", f"./cmd/{command}", GOWORK="off")
    return Path(directory, "program")


def _source(go: str, directory: str, module: str) -> str:
    """The directory of the downloaded module."""
    found: str = json.loads(_run(directory, go, "mod", "download", "-json", module))["Dir"]
    return found


def _run(directory: str, *command: str, **environment: str) -> str:
    return run(directory, *command, CGO_ENABLED="0", **environment)


def main() -> int:
    try:
        for program in build_all():
            sys.stdout.write(f"{program}\n")
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
