"""What OpenTelemetry's semantic conventions say, read from the sources of the installed package."""

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import opentelemetry.semconv as package

Status = Literal["stable", "development", "generative AI", "deprecated", "own"]
_MOVED: Final = "Deprecated: Moved to the [OpenTelemetry GenAI"
_METRIC: Final = re.compile(r"Instrument: (\w+)\s+Unit: (\S+)")


@dataclass(frozen=True)
class Definition:
    """One attribute or instrument. `kind` and `unit` are of instruments only, and "" where the package does not say them."""

    status: Status
    kind: str = ""
    unit: str = ""


OWN: Final = Definition("own")


def attribute(name: str) -> Definition:
    return _definitions("attributes").get(name, OWN)


def instrument(name: str) -> Definition:
    return _definitions("metrics").get(name, OWN)


@lru_cache
def _definitions(folder: str) -> dict[str, Definition]:
    """Of all modules: a stable module says the same as the one of the development, which is read first."""
    [root] = list(package.__path__)[:1]
    found: dict[str, Definition] = {}
    for path, status in ((f"_incubating/{folder}", "development"), (folder, "stable")):
        for module in sorted(Path(root, path).glob("*_*.py")):
            for name, text in _constants(module):
                found[name] = _definition(text, status, found.get(name))
    return found


def _definition(text: str, status: str, known: Definition | None) -> Definition:
    if text.startswith(_MOVED):
        return Definition("generative AI")
    if text.startswith("Deprecated"):
        return Definition("deprecated")
    said = _METRIC.search(text)
    kind, unit = said.groups() if said else (known.kind, known.unit) if known else ("", "")
    return Definition("stable" if status == "stable" else "development", kind, unit)


def _constants(module: Path) -> list[tuple[str, str]]:
    """The values of the constants, and the texts below them."""
    body = ast.parse(module.read_text()).body
    return [
        (str(constant.value.value), ast.literal_eval(text.value).strip())
        for constant, text in pairwise(body)
        if isinstance(constant, ast.AnnAssign)
        and isinstance(constant.value, ast.Constant)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    ]
