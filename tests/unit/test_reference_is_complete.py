"""Whatever one may look up has its place in the reference: variables, commands, endpoints, metrics, alerts and messages."""

import argparse
import ast
import re

import pytest
import yaml

from deploy.generate.catalogue import own
from service.cli.parser import make_parser
from service.main import create_app
from service.settings import Settings
from telemetry.environment.otel_variables import VARIABLES
from tests.support.markdown_pages import anchors, headings, links
from tests.support.processes import ROOT

REFERENCE = ROOT / "docs" / "reference"
RUNBOOK = ROOT / "docs" / "how-to" / "runbook.md"
MESSAGES = REFERENCE / "messages.md"
NOT_FOR_PEOPLE = {"An error of the self-test."}


def headings_in_code(page):
    """The headings that are one name in backticks, such as a variable or a metric."""
    return [heading.strip("`") for heading in headings(REFERENCE / page) if heading.startswith("`")]


def twice(names):
    return {name for name in names if names.count(name) > 1}


def commands(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield name
                yield from (f"{name} {below}" for below in commands(each))


def test_every_variable_has_its_heading():
    found = headings_in_code("configuration.md")
    examples = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    table = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", (REFERENCE / "configuration.md").read_text(), re.MULTILINE))

    assert {name.upper() for name in Settings.model_fields} - set(found) == set()
    assert examples - set(found) - table == set()
    assert set(VARIABLES) - table == set()
    assert twice(found) == set()


def test_every_command_has_its_heading():
    found = headings_in_code("commands.md")

    assert set(commands(make_parser("sovani"))) - set(found) == set()
    assert twice(found) == set()


def test_every_endpoint_has_its_heading(tmp_path):
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/none.db", data_dir=tmp_path, scheduler=False))
    document = app.openapi()
    app.state.runtime.close()
    endpoints = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    found = headings_in_code("http-api.md")

    assert endpoints | set(document["components"]["schemas"]) == set(found)
    assert {tag["name"].capitalize() for tag in document["tags"]} - set(headings(REFERENCE / "http-api.md")) == set()
    assert twice(found) == set()


def test_every_metric_has_its_heading():
    found = headings_in_code("metrics.md")

    assert set(own()) - set(found) == set()
    assert twice(found) == set()


def test_every_alert_of_prometheus_has_its_section_in_the_runbook():
    files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]

    assert {rule["alert"] for rule in rules} - set(headings(RUNBOOK)) == set()
    assert {rule["annotations"]["runbook_url"].partition("#")[2] for rule in rules} - anchors(RUNBOOK) == set()


def test_every_message_leads_to_its_section_of_the_runbook_and_every_section_is_of_a_message():
    sections = {anchor for anchor in anchors(RUNBOOK) if anchor.startswith("message-")}
    linked = {link.target.partition("#")[2] for link in links(MESSAGES) if "runbook.md#" in link.target}
    rows = MESSAGES.read_text().split("## Warnings that are only logged")[0].splitlines()
    messages = [row for row in rows if row.startswith("| ") and not re.match(r"\| (message|text|---)", row)]

    assert sections - linked == set()
    assert [row for row in messages if "runbook.md#message-" not in row] == []
    assert len(messages) > 40


def logged_errors():
    """What the code logs at ERROR or above in words of its own: each such record becomes a message."""
    paths = [*(ROOT / "service").rglob("*.py"), *(ROOT / "telemetry").rglob("*.py")]
    sources = [path.read_text() for path in paths if "sandbox" not in path.parts]
    for source in filter(re.compile(r"\.(error|critical|exception)\b").search, sources):
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="error" | "critical" | "exception"),
                    args=[ast.Constant(value=str(text)), *_],
                ):
                    yield text


def test_every_error_that_the_code_logs_is_in_the_list_of_messages():
    listed = " ".join(MESSAGES.read_text().split())

    def is_listed(text):
        parts = [part.strip(" .,:;") for part in re.split(r"%\(\w+\)s|%[-.\d]*[a-z]", text)]
        return all(part in listed for part in parts)

    errors = set(logged_errors()) - NOT_FOR_PEOPLE
    assert len(errors) > 5
    assert {text for text in errors if not is_listed(text)} == set()


@pytest.mark.parametrize("page", ["commands.md", "configuration.md", "http-api.md", "metrics.md", "tables.md"])
def test_a_page_that_is_made_from_the_code_has_no_heading_twice(page):
    assert twice(headings(REFERENCE / page)) == set()
