"""The images of docker-compose.yml: that of the service by its Dockerfile, and for the others, which cannot be pulled everywhere, stand-ins
with the same names, made of Debian's packages and of Go modules.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from tools import go_programs
from tools.build_cache import NotBuiltError, run
from tools.stack.debian import make_root
from tools.stack.engine import Engine

ROOT: Final = Path(__file__).parents[2]
SERVICE: Final = "sovani"
OPEN: Final = "open"
"""The profile that runs VictoriaLogs and Jaeger."""
_CONTEXTS: Final = Path(__file__).parent / "images"
_STAND_IN: Final = Path(__file__).parent / "stand_in.py"
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_OPTIONS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


def services(profile: str = "") -> dict[str, Any]:
    """Those of docker-compose.yml that run with this profile; without one, those that need none."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    return {name: service for name, service in found.items() if profile in service.get("profiles", [profile])}


def base_name() -> str:
    """The image that the Dockerfile begins with, such as `debian:trixie-slim`."""
    [name] = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE))
    return str(name)


def build_all(engine: Engine) -> None:
    """Build what is not there yet.

    Raises:
        NotBuiltError: a step failed.
    """
    build_base(engine)
    build_service(engine)
    build_stand_ins(engine)


def build_service(engine: Engine) -> str:
    """The image of the service, by the Dockerfile. Returns its name."""
    image = str(services()[SERVICE]["image"])
    # With a name its first stage is kept, and what did not change in it is not built again.
    _build(engine, f"{SERVICE}-build:local", ROOT, "--target=build")
    _build(engine, image, ROOT)
    return image


def build_stand_ins(engine: Engine, profile: str = "") -> None:
    """One for each other service of docker-compose.yml that runs with this profile."""
    _build(engine, "sovani-stand-in:base", _CONTEXTS / "base")
    images = {name: str(each["image"]) for name, each in services(profile).items()}
    for name in sorted(path.name for path in _CONTEXTS.iterdir() if path.name in images):
        with tempfile.TemporaryDirectory() as context:
            shutil.copytree(_CONTEXTS / name, context, dirs_exist_ok=True)
            for file, source in _files(name).items():
                shutil.copy2(source, Path(context, file))
                Path(context, file).chmod(0o755)
            _build(engine, images[name], Path(context))


def _files(name: str) -> dict[str, Path]:
    """What the context of an image needs beside its Dockerfile."""
    return {
        "prometheus": {"prometheus": go_programs.prometheus(), "promtool": go_programs.promtool()},
        "alertmanager": {"alertmanager": go_programs.alertmanager(), "amtool": go_programs.amtool()},
        "otel-collector": {"otelcol": go_programs.collector()},
        "jaeger": {"jaeger": go_programs.jaeger()},
        "victorialogs": {"victoria-logs": go_programs.victorialogs()},
        "tempo": {"stand_in.py": _STAND_IN},
        "loki": {"stand_in.py": _STAND_IN},
        "grafana": {"stand_in.py": _STAND_IN},
    }.get(name, {})


def build_base(engine: Engine) -> None:
    """Make the image that the Dockerfile begins with, by debootstrap, unless it is there."""
    name = base_name()
    if engine.tried("image", "inspect", name).returncode == 0:
        return
    release = name.partition(":")[2].removesuffix("-slim")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "root")
        make_root(release, root)
        _trust_this_machines_servers(root)
        _import(engine, root, name)


def _import(engine: Engine, root: Path, name: str) -> None:
    """By a pipe: the archive is nowhere on the disk."""
    tar = ["tar", "--numeric-owner", "--directory", str(root), "--create", "."]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as archive:  # noqa: S603  # no shell reads it
        engine.docker("import", "--change", 'CMD ["bash"]', "-", name, stdin=archive.stdout)
    if archive.returncode:
        raise NotBuiltError(f"tar ended with {archive.returncode}.")


def _trust_this_machines_servers(root: Path) -> None:
    """The certificate authorities and the settings of pip that this machine has; they are in no file of the project."""
    lines = ["[global]"]
    if _AUTHORITIES.exists():
        # Under another name: the package ca-certificates writes its own file.
        shutil.copyfile(_AUTHORITIES, root / "etc/this-machine.crt")
        lines.append("cert = /etc/this-machine.crt")
    written = run("/", sys.executable, "-m", "pip", "config", "list")
    said = re.findall(rf"^(?:global|:env:)\.(?:default-)?({'|'.join(_PIP_OPTIONS)})='(.*)'$", written, re.MULTILINE)
    lines += [f"{option} = {value}" for option, value in dict(said).items()]
    (root / "etc/pip.conf").write_text("\n".join(lines) + "\n", "utf-8")


def _build(engine: Engine, image: str, context: Path, *options: str) -> None:
    """With the network of this machine, and the proxies that its variables name; steps that did not change are not run again."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    arguments = [f"--build-arg={name}" for name in proxies]
    engine.docker("build", "--quiet", "--network=host", *arguments, *options, f"--tag={image}", str(context))


def size(engine: Engine, image: str) -> int:
    """Bytes."""
    [found] = json.loads(engine.docker("image", "inspect", image))
    return int(found["Size"])
