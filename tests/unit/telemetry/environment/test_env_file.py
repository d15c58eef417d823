import codecs
from pathlib import Path

import pytest

from telemetry.environment.env_file import read_env_file
from telemetry.settings import SettingsError

CANARY = b"canary-12345"


def refusal(content: bytes) -> str:
    Path(".env").write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_env_file(Path(".env"))
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"", {}),
        (b"\n# a comment\n\n", {}),
        (b"A=1\nB='two words'\nexport C=3 # a comment\nD=\n", {"A": "1", "B": "two words", "C": "3", "D": ""}),
        (codecs.BOM_UTF8 + b"A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        (b'KEY="-----BEGIN-----\nabc\n-----END-----"\nB=2', {"KEY": "-----BEGIN-----\nabc\n-----END-----", "B": "2"}),
        (b"A=x\nB=${A}y", {"A": "x", "B": "xy"}),
        ("NAME=Привет".encode(), {"NAME": "Привет"}),
    ],
)
def test_a_file_is_read(content, values):
    Path(".env").write_bytes(content)

    assert read_env_file(Path(".env")) == values


def test_a_file_that_is_not_there_has_nothing():
    assert read_env_file(Path(".env")) == {}


def test_a_directory_of_the_name_has_nothing():
    Path(".env").mkdir()

    assert read_env_file(Path(".env")) == {}


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"OPS_TOKEN canary-12345", 3),
        (b"OPS_TOKEN", 3),
        (b"OPS_TOKEN: canary-12345", 3),
        (b'OPS_TOKEN="canary-12345', 3),
        (b"OPS_TOKEN='canary-12345", 3),
        (b'OPS_TOKEN="canary-12345" LOG_LEVEL=INFO', 3),
        (b"OPS TOKEN=canary-12345", 3),
        (b"=canary-12345", 3),
        ("\N{CYRILLIC CAPITAL LETTER O}PS_TOKEN=canary-12345".encode(), 3),
        (b"\n\n  $OPS_TOKEN=canary-12345", 5),
        (codecs.BOM_UTF8 + b"OPS_TOKEN=canary-12345", 3),  # two files that were put together
    ],
)
def test_a_line_that_does_not_parse_is_named_by_its_number(line, number):
    said = refusal(b"LOG_LEVEL=INFO\n\n" + line + b"\nPORT=1\n")

    assert said == f".env, line {number} cannot be parsed: expected NAME=value."


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1251"])
def test_another_encoding_is_one_line(encoding):
    said = refusal("OPS_TOKEN=canary-12345 # Секрет".encode(encoding))

    assert said.startswith(".env")
    assert "UTF-8" in said
    assert "canary" not in said
    assert "\n" not in said


def test_a_nul_is_named_by_its_line():
    assert refusal(b"A=1\nOPS_TOKEN=canary\0-12345") == (".env, line 2 has a NUL byte: save the file as UTF-8 text.")
