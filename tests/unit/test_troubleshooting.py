"""The messages that the page on troubleshooting lists are those of the code."""

import re

import pytest

from tests.support.how_to_pages import HOW_TO
from tests.support.processes import ROOT

PAGE = (HOW_TO / "troubleshooting.md").read_text("utf-8")
TERMS = re.findall(r"^(.+)\n: ", PAGE, re.MULTILINE)
MESSAGES = [message for term in TERMS for message in re.findall(r"`([^`]+)`", term) if " " in message]
_JOINT = re.compile(r"[\"']\s*\n\s*f?[\"']")
_CONSTANTS = {"{_OPENAI}": "OpenAI", "{_NO_SUCH_METHOD}": "Ozon has no such method"}


@pytest.fixture(scope="module")
def sources() -> str:
    """The texts of the code in one: literals that are continued on the next line are joined."""
    files = [*(ROOT / "service").rglob("*.py"), *(ROOT / "telemetry").rglob("*.py"), ROOT / "Makefile"]
    text = _JOINT.sub("", "\n".join(file.read_text("utf-8") for file in files))
    for name, value in _CONSTANTS.items():
        text = text.replace(name, value)
    return text


def test_each_part_of_a_message_without_values_is_in_the_code(sources):
    parts = [(message, part.strip(" .:;(),")) for message in MESSAGES for part in message.split("…")]

    assert [(message, part) for message, part in parts if part not in sources] == []


def test_there_are_messages_and_one_that_there_is_not_is_found(sources):
    assert len(MESSAGES) > 30
    assert "the database is older than the moon" not in sources
