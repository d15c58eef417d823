from pathlib import Path

import pytest

from tools import house
from tools.house import House


@pytest.fixture
def figures_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Measures a tree of files, given by their paths and texts."""
    monkeypatch.setattr(house, "ROOT", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def measure(**files: str):
        for package in ("service", "telemetry"):
            (tmp_path / package).mkdir()
            (tmp_path / package / "__init__.py").touch()
        for name, text in {"one": "def short():\n    return 1\n", **files}.items():
            path = tmp_path / "service" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text)
        measured = House()
        figures = [*measured._folders(), *measured._lengths(), *measured._names()]
        return {figure.name: figure for figure in figures}

    return measure


def test_a_small_house_meets_every_limit(figures_of):
    assert all(figure.is_met for figure in figures_of().values())


def test_a_tenth_module_at_the_top_is_over_the_limit(figures_of):
    found = figures_of(**{f"module{number}": "" for number in range(9)})

    assert not found["modules at the top of service"].is_met


def test_an_eighteenth_module_in_a_folder_is_over_the_limit(figures_of):
    found = figures_of(**{f"api__module{number}": "" for number in range(18)})

    assert not next(figure for name, figure in found.items() if name.startswith("modules in the largest")).is_met


def test_a_long_function_is_named(figures_of):
    found = figures_of(two="def endless():\n" + "    pass\n" * 40)["functions over 40 lines"]

    assert found.places == ("service/two.py:1 endless",)
    assert not found.is_met


def test_a_long_module_is_named(figures_of):
    found = figures_of(two="x = 1\n" * 251)["modules over 250 lines"]

    assert found.places == ("service/two.py",)


def test_names_that_occur_twice_need_a_reason(figures_of):
    found = figures_of(a__place="class Place: ...\n", b__place="class Place: ...\n", c__client="", d__client="")

    assert found["class names that occur twice without a reason"].value == 1
    assert [place.partition(":")[0] for place in found["module names that occur twice without a reason"].places] == [
        "place"
    ]


def test_an_import_cycle_is_shown(monkeypatch):
    class Graph:
        modules = ("a", "b")

        def find_modules_directly_imported_by(self, module):
            return {"a": {"b"}, "b": {"a"}}[module]

    monkeypatch.setattr(house, "build_graph", lambda *_packages, cache_dir: Graph())

    assert not House()._cycles().is_met
