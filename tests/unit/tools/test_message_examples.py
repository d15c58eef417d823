"""The examples of the reference are of each kind of alert, and each end says what works again."""

import re

import pytest

from service.names import AlertSection
from telemetry.environment.runbook import RunbookSection
from tools.reference.condition_scenes import CONDITIONS
from tools.reference.event_scenes import EVENTS
from tools.reference.message_examples import play

WITHOUT_EXAMPLE = {AlertSection.TEST_ALERT, RunbookSection.MANY_ALERTS}


@pytest.fixture(scope="module")
def played():
    return {title: play(scene) for title, scene in {**CONDITIONS, **EVENTS}.items()}


def test_there_is_an_example_of_each_kind_with_the_link_to_its_section(played):
    links = [
        re.findall(r"^Runbook: docs/how-to/runbook\.md#(.+)$", firing, re.MULTILINE) for firing, _ in played.values()
    ]

    assert all(len(found) == 1 for found in links)
    assert {link for [link] in links} == {*RunbookSection, *AlertSection} - WITHOUT_EXAMPLE


def test_the_end_of_each_condition_says_what_works_again_since_when_and_how_long_it_did_not(played):
    for title in CONDITIONS:
        firing, end = played[title]
        said = end.splitlines()[4]

        assert end.startswith("✅ RESOLVED\n"), title
        assert re.fullmatch(r".+ since \d\d:\d\d UTC\. [A-Z].+ (\d+ (h|min|s) ?)+\.", said), title
        assert said not in firing, title
        assert len(end.splitlines()) == 6, title


def test_an_event_has_no_end(played):
    assert {title for title in EVENTS if played[title][1]} == set()
