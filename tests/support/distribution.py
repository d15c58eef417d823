"""The package as `importlib.metadata` sees it where the wheel is installed: its entry points, beside the repository's source."""

import sys
import tomllib
from pathlib import Path

from tests.support.processes import ROOT, Program, Programs, free_port

BINARIES = Path(sys.executable).parent


def install_entry_points(directory: Path) -> None:
    """Write the metadata of the package into a directory that is on the path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = directory / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    sections = [
        f"[{group}]\n" + "\n".join(f"{name} = {target}" for name, target in named.items())
        for group, named in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(sections))


def instrumented_uvicorn(programs: Programs, app: str, *arguments: str, **environment: str) -> Program:
    """`opentelemetry-instrument uvicorn …` on a free port."""
    port = free_port()
    return programs.start_command(
        *(str(BINARIES / "opentelemetry-instrument"), "uvicorn", app, "--port", str(port), *arguments),
        port=port,
        **{"PATH": f"{BINARIES}:/usr/bin:/bin", **environment},
    )
