"""The panels of the dashboards, and what Grafana's own packages make of them and of the answers to their queries."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.processes import ROOT
from tools.node_packages import CHECK

DASHBOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"


@dataclass(frozen=True)
class ShownPanel:
    """One of a dashboard's file, with the answers to its queries: what Prometheus has as `data.result`, by refId."""

    name: str
    panel: Mapping[str, Any]
    answers: Mapping[str, Any]


@dataclass(frozen=True)
class Examined:
    """`problems` are in words; `shown` are the first of the texts that the panel would show."""

    name: str
    problems: list[str]
    shown: list[str]


@dataclass(frozen=True)
class PanelChecker:
    """`packages` is the directory whose node_modules has `@grafana/data`."""

    packages: Path

    def examine(self, panels: Sequence[ShownPanel]) -> list[Examined]:
        done = subprocess.run(
            ["node", str(CHECK), str(self.packages)],
            input=json.dumps([vars(each) for each in panels]),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [Examined(**each) for each in json.loads(done.stdout)]


def deployed_panels() -> list[tuple[str, dict[str, Any]]]:
    """Each with the name of its file; rows have no queries."""
    return [
        (file.stem, panel)
        for file in sorted(DASHBOARDS.glob("*.json"))
        for panel in json.loads(file.read_text())["panels"]
        if panel["type"] != "row"
    ]
