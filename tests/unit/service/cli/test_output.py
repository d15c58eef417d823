"""Output to a reader that ends early, such as `head`."""

import os
import sys
from io import TextIOWrapper

import pytest

from service.cli.output import complain, say


@pytest.fixture
def pipe():
    """The end of a pipe that is written to. Nothing reads the other one any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        yield stream


@pytest.mark.parametrize(("name", "speak"), [("stdout", say), ("stderr", complain)], ids=["say", "complain"])
@pytest.mark.parametrize("size", [1, 1_000_000], ids=["a line", "more than a buffer"])
def test_a_command_goes_on_after_its_reader_has_ended(monkeypatch, pipe: TextIOWrapper, name, speak, size):
    monkeypatch.setattr(sys, name, pipe)

    speak("-" * size)
    speak("and another line")

    pipe.flush()
