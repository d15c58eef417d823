"""The check of panels by Grafana's own packages names what is wrong with a panel. What is right is shown in its units and words."""

import copy
import json
from typing import Any

import pytest
import yaml

from tests.support.panels import PanelChecker, ShownPanel, deployed_panels
from tests.support.processes import ROOT
from tools.node_packages import NODE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
AT = 1_800_000_000
JOBS = ("sync_orders", "sync_reviews")
NAMED = {
    "a unit": ("Duration", ("fieldConfig", "defaults", "unit"), "secs", "there is no unit secs"),
    "a reducer": ("Up", ("options", "reduceOptions", "calcs"), ["lastNonNull"], "there is no reducer lastNonNull"),
    "a legend's reducer": ("Duration", ("options", "legend", "calcs"), ["p100"], "there is no reducer p100"),
    "a transformation": ("Each job", ("transformations", 0, "id"), "merged", "there is no transformation merged"),
    "no merging": ("Each job", ("transformations", 0, "id"), "noop", "a table shows the first of its 3 frames only"),
    "a column": (
        "Each job",
        ("transformations", 1, "options", "renameByName"),
        {"Value #D": "x"},
        "organize names a column Value #D, which is not there",
    ),
    "columns beside each other": (
        "Each job",
        ("transformations", 0),
        {"id": "concatenate", "options": {}},
        "several columns are called job_name",
    ),
    "a colour": (
        "Up",
        ("fieldConfig", "defaults", "thresholds", "steps"),
        [{"color": "grene", "value": None}],
        "there is no colour grene",
    ),
    "thresholds that fall": (
        "Up",
        ("fieldConfig", "defaults", "thresholds", "steps"),
        [{"color": "red", "value": None}, {"color": "green", "value": 2}, {"color": "red", "value": 1}],
        "the thresholds [null,2,1] do not rise",
    ),
    "no lowest threshold": (
        "Up",
        ("fieldConfig", "defaults", "thresholds", "steps"),
        [{"color": "red", "value": 3}],
        "the first threshold is 3, below which nothing has a colour",
    ),
    "a colour mode": ("Up", ("fieldConfig", "defaults", "color", "mode"), "palette", "there is no colour mode palette"),
    "a state": ("Timeline", ("fieldConfig", "defaults", "mappings"), [], "the state 1 has no word"),
    "a label": (
        "Duration",
        ("targets", 0, "legendFormat"),
        "{{job}}",
        "a series is called {{job}}: it has no such label",
    ),
    "one name for two": ("Duration", ("targets", 0, "legendFormat"), "it", "several series are called it"),
    "a matcher": (
        "Up",
        ("fieldConfig", "overrides"),
        [{"matcher": {"id": "byNam", "options": "x"}, "properties": []}],
        "there is no matcher byNam",
    ),
    "a property": (
        "Up",
        ("fieldConfig", "overrides"),
        [{"matcher": {"id": "byName", "options": "x"}, "properties": [{"id": "unti", "value": "s"}]}],
        "there is no property unti",
    ),
}


def shown(title: str, panel: dict[str, Any]) -> ShownPanel:
    """With two series for each query."""
    value = "1" if panel["type"] == "state-timeline" else "90.5"
    answers = {}
    for target in panel["targets"]:
        series = [{"metric": {"job_name": job}} for job in JOBS]
        samples = {"value": [AT, value]} if target["instant"] else {"values": [[AT, value], [AT + 15, value]]}
        answers[target["refId"]] = [{**each, **samples} for each in series]
    return ShownPanel(title, panel, answers)


def changed(title: str, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    of = "jobs" if title != "Up" else "service"
    [panel] = [panel for name, panel in deployed_panels() if (name, panel["title"]) == (of, title)]
    panel = copy.deepcopy(panel)
    *way, last = path
    place: Any = panel
    for step in way:
        place = place[step]
    place[last] = value
    return panel


def test_what_grafana_does_not_know_is_named(panel_checker: PanelChecker):
    panels = [shown(name, changed(title, path, value)) for name, (title, path, value, _) in NAMED.items()]

    found = {each.name: each.problems for each in panel_checker.examine(panels)}

    missing = {name: found[name] for name, (*_, words) in NAMED.items() if words not in found[name]}
    assert missing == {}


def test_units_that_grafana_makes_are_units(panel_checker: PanelChecker):
    wanted = {"suffix:rows": "90.5 rows", "currencyRUB": "₽90.5", "dtdurations": "1 minute", "none": "90.5"}
    panels = [shown(unit, changed("Duration", ("fieldConfig", "defaults", "unit"), unit)) for unit in wanted]

    found = panel_checker.examine(panels)

    assert {each.name: (each.problems, *each.shown) for each in found} == {u: ([], text) for u, text in wanted.items()}


def test_what_is_shown_has_its_unit_or_its_word(panel_checker: PanelChecker):
    titles = ("Duration", "Timeline", "Each job")
    panels = [
        shown(title, panel)
        for name, panel in deployed_panels()
        if name == "jobs" and (title := panel["title"]) in titles
    ]

    found = {each.name: (each.problems, each.shown) for each in panel_checker.examine(panels)}

    assert found == {"Duration": ([], ["1.51 mins"]), "Timeline": ([], ["success"]), "Each job": ([], ["90.5"])}


def test_the_packages_are_those_of_the_grafana_that_is_deployed():
    image = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["image"]

    wanted = json.loads((NODE / "package.json").read_text())["dependencies"]["@grafana/data"]

    assert image == f"grafana/grafana:{wanted}"
