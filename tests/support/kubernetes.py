"""The overlays of deploy/kubernetes, each with and without the component, rendered by kustomize."""

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.processes import ROOT

KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = ("sqlite", "postgresql")
_COMPONENT: Final = KUBERNETES / "components" / "prometheus-operator"


def render(kustomize: Path, overlay: str, directory: Path, *, component: bool) -> str:
    """A user's own kustomization in this directory: it names the overlay, and perhaps the component.

    Raises:
        AssertionError: kustomize refuses it, or warns.
    """
    named = {"resources": [_from(directory, KUBERNETES / "overlays" / overlay)]}
    if component:
        named["components"] = [_from(directory, _COMPONENT)]
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(named))
    command = [kustomize, "build", directory]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def objects(rendered: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(rendered))


def _from(directory: Path, target: Path) -> str:
    """kustomize takes relative paths only."""
    return os.path.relpath(target.resolve(), directory.resolve())
