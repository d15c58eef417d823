"""How programs are built from Go modules: each function takes the Go program and a directory of its own, and returns what it made."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from tools.build_cache import NotBuiltError, run

Make = Callable[[str, str], Path]
_PROMETHEUS_VERSION: Final = "github.com/prometheus/common/version.Version"


def build_once(program: Path, make: Make) -> Path:
    """Build a program, unless it is there.

    Raises:
        NotBuiltError: there is no Go here, or a step failed.
    """
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


def make_collector(builder: Path, go: str, directory: str) -> Path:
    dist = yaml.safe_load(builder.read_text("utf-8"))["dist"]
    tool = f"go.opentelemetry.io/collector/cmd/builder@v{dist['version']}"
    _run(directory, go, "install", tool, GOBIN=directory)
    _run(directory, f"{directory}/builder", f"--config={builder}")
    return Path(directory, dist["output_path"], dist["name"])


def make_own(module: Path, go: str, directory: str) -> Path:
    """A module of this repository."""
    _run(str(module), go, "build", "-mod=readonly", "-o", f"{directory}/{module.name}", ".")
    return Path(directory, module.name)


def make_installed(package: str, go: str, directory: str) -> Path:
    _run(directory, go, "install", package, GOBIN=directory)
    [program] = Path(directory).iterdir()
    return program


def make_of_kubernetes(module: Path, command: str, go: str, directory: str) -> Path:
    """Its main module cannot be installed by name: it replaces its parts by directories, which are modules of their own elsewhere."""
    _run(str(module), go, "build", "-mod=readonly", "-o", f"{directory}/{command}", f"k8s.io/kubernetes/cmd/{command}")
    return Path(directory, command)


def make_of_prometheus(module: str, version: str, command: str, go: str, directory: str) -> Path:
    """Without service discovery, which is half of its packages."""
    options = ("-tags", "remove_all_sd", *_says(_PROMETHEUS_VERSION, version))
    return make_of_module(module, f"./cmd/{command}", go, directory, *options)


def make_of_alertmanager(version: str, command: str, go: str, directory: str) -> Path:
    """With an empty page in the place of its web interface, which the module does not contain."""
    found = _source(go, directory, f"github.com/prometheus/alertmanager@v{version}")
    source = shutil.copytree(found, Path(directory, "source"), copy_function=shutil.copyfile)
    _run(str(source), "chmod", "-R", "u+w", ".")
    (source / "ui/app/dist").mkdir()
    (source / "ui/app/dist/index.html").touch()
    return _make_in(str(source), f"./cmd/{command}", go, directory, *_says(_PROMETHEUS_VERSION, version))


def make_compose(version: str, go: str, directory: str) -> Path:
    options = _says("github.com/docker/compose/v2/internal.Version", f"v{version}")
    return make_of_module(f"github.com/docker/compose/v2@v{version}", "./cmd", go, directory, *options)


def make_of_module(module: str, package: str, go: str, directory: str, *options: str) -> Path:
    return _make_in(_source(go, directory, module), package, go, directory, *options)


def _make_in(source: str, package: str, go: str, directory: str, *options: str) -> Path:
    """In the module's own directory, with the versions of its own go.sum."""
    program = Path(directory, "program")
    # A workspace, where there is one, names modules that are not in it.
    build = (go, "build", "-mod=readonly", "-buildvcs=false", *options)
    _run(source, *build, "-o", str(program), package, GOWORK="off")
    return program


def _says(variable: str, version: str) -> tuple[str, str]:
    """The option by which a program says its version."""
    return "-ldflags", f"-X {variable}={version}"


def _source(go: str, directory: str, module: str) -> str:
    """The directory of the downloaded module."""
    found: str = json.loads(_run(directory, go, "mod", "download", "-json", module))["Dir"]
    return found


def _run(directory: str, *command: str, **environment: str) -> str:
    return run(directory, *command, CGO_ENABLED="0", **environment)
