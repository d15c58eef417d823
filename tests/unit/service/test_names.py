"""Each kind of alert has its section in docs/how-to/runbook.md, and each section about a message has its kind."""

import re

from service.names import AlertSection
from service.sandbox.supervisor import ATTRIBUTES
from service.settings import Settings
from telemetry.environment.runbook import Runbook, RunbookSection
from tests.support.markdown_pages import anchors
from tests.support.processes import ROOT

SECTIONS = [*RunbookSection, *AlertSection]
LINES_OF_MESSAGES = {"message-resolved", "message-still-there"}
"""Sections about lines that any message may have."""


def test_the_sections_are_those_of_the_runbook():
    about_messages = {each for each in anchors(ROOT / "docs/how-to/runbook.md") if each.startswith("message-")}

    assert {str(section) for section in SECTIONS} == about_messages - LINES_OF_MESSAGES


def test_each_section_is_that_of_an_alert():
    sources = (path.read_text("utf-8") for folder in ("service", "telemetry") for path in (ROOT / folder).rglob("*.py"))
    used = {name for text in sources for name in re.findall(r"(?i:section)\.([A-Z_]+)\b", text)}

    of_sandbox = AlertSection(ATTRIBUTES["alert.section"])

    assert {section.name for section in SECTIONS} - used == {of_sandbox.name}


def test_without_an_address_the_service_names_the_page_in_its_repository():
    runbook = Settings().runbook

    assert runbook == Runbook("docs/how-to/runbook.md")
    assert (ROOT / runbook.address).is_file()
