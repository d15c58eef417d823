"""Measures the layout of the code against its limits: `python -m tools.house` prints each figure and exits 1 when one is over its limit."""

import ast
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from grimp import build_graph

from tools.shared_names import SHARED_NAMES

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("service", "telemetry")
MAX_TOP_MODULES: Final = 9
MAX_TOP_PACKAGES: Final = 12
MAX_MODULES_IN_FOLDER: Final = 17
MAX_MEDIAN_LINES: Final = 6
MAX_P90_LINES: Final = 15
MAX_FUNCTION_LINES: Final = 40
MAX_MODULE_LINES: Final = 250


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured property: its value, its limit, and the places that are to be looked at when it is over."""

    name: str
    value: float
    limit: float
    places: tuple[str, ...] = ()

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit

    def line(self) -> str:
        mark = "ok  " if self.is_met else "OVER"
        text = f"{mark} {self.name:<55} {self.value:>6g}   (at most {self.limit:g})"
        return "\n".join([text, *(f"       {place}" for place in self.places)])


class Module:
    """One source file. A package's `__init__` is none: it holds a docstring."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")
        self.tree = ast.parse(self.text)

    @property
    def place(self) -> str:
        return str(self.path.relative_to(ROOT))

    def functions(self) -> Iterator[tuple[str, int]]:
        """Each function's place and its lines, the signature and the docstring included."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{self.place}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1

    def classes(self) -> list[str]:
        return [node.name for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]


class House:
    """The source files of `service` and `telemetry`, and what is measured of them."""

    @cached_property
    def modules(self) -> list[Module]:
        files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
        return [Module(file) for file in files if file.name != "__init__.py"]

    def figures(self) -> list[Figure]:
        return [*self._folders(), *self._lengths(), self._cycles(), *self._names()]

    def _folders(self) -> Iterator[Figure]:
        top = ROOT / "service"
        packages = [each for each in top.iterdir() if (each / "__init__.py").exists()]
        yield Figure("modules at the top of service", len(self._in(top)), MAX_TOP_MODULES)
        yield Figure("packages at the top of service", len(packages), MAX_TOP_PACKAGES)
        folders = {module.path.parent for module in self.modules}
        largest = max(folders, key=lambda folder: len(self._in(folder)))
        yield Figure(
            f"modules in the largest folder, {largest.relative_to(ROOT)}", len(self._in(largest)), MAX_MODULES_IN_FOLDER
        )

    def _in(self, folder: Path) -> list[Module]:
        return [module for module in self.modules if module.path.parent == folder]

    def _lengths(self) -> Iterator[Figure]:
        functions = dict(item for module in self.modules for item in module.functions())
        lines = sorted(functions.values())
        yield Figure("lines of a function, median", statistics.median(lines), MAX_MEDIAN_LINES)
        yield Figure("lines of a function, 90 % have at most", lines[len(lines) * 9 // 10], MAX_P90_LINES)
        long = tuple(place for place, length in functions.items() if length > MAX_FUNCTION_LINES)
        yield Figure(f"functions over {MAX_FUNCTION_LINES} lines", len(long), 0, long)
        large = tuple(module.place for module in self.modules if module.text.count("\n") > MAX_MODULE_LINES)
        yield Figure(f"modules over {MAX_MODULE_LINES} lines", len(large), 0, large)

    def _cycles(self) -> Figure:
        graph = build_graph(*PACKAGES, cache_dir=None)
        imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
        try:
            TopologicalSorter(imports).prepare()
        except CycleError as error:
            return Figure("import cycles", 1, 0, (" -> ".join(error.args[1]),))
        return Figure("import cycles", 0, 0)

    def _names(self) -> Iterator[Figure]:
        modules = ((module.path.stem, module.place) for module in self.modules)
        classes = ((name, module.place) for module in self.modules for name in module.classes())
        yield _shared("module", modules)
        yield _shared("class", classes)


def _shared(kind: str, names: Iterable[tuple[str, str]]) -> Figure:
    """How many names stand for several things without a reason in `SHARED_NAMES`."""
    places = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    twice = {name: where for name, where in places.items() if len(where) > 1 and name not in SHARED_NAMES}
    found = tuple(f"{name}: {', '.join(where)}" for name, where in sorted(twice.items()))
    return Figure(f"{kind} names that occur twice without a reason", len(found), 0, found)


def main() -> int:
    figures = House().figures()
    sys.stdout.write("\n".join(figure.line() for figure in figures) + "\n")
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
