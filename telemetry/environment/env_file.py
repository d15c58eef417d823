"""Reads the variables of a file such as `.env`. A file that is not right is an error, never half read."""

import codecs
import io
import re
from pathlib import Path
from typing import Final

from dotenv.main import DotEnv
from dotenv.parser import Binding, parse_stream

from telemetry.environment.errors import SettingsError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file. A file that does not exist has none, nor has a directory of this name.

    Raises:
        SettingsError: the file cannot be read, is not UTF-8, or has a line that is not `NAME=value`. Its values, which may
            be secrets, are not in the error.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    text = _decoded(content, path)
    _check_lines(text, path)
    values = DotEnv(None, stream=io.StringIO(text), override=False).dict()  # in `${NAME}` the environment wins
    return {name: value for name, value in values.items() if value is not None}


def _decoded(content: bytes, path: Path) -> str:
    if content.startswith(_UTF16):
        raise SettingsError(f"{path} is UTF-16: save it as UTF-8.")
    if (nul := content.find(b"\0")) >= 0:
        raise SettingsError(f"{path}, line {_line_of(content, nul)} has a NUL byte: save the file as UTF-8 text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line_of(error.object, error.start)
        raise SettingsError(f"{path}, line {line} is not UTF-8: save the file as UTF-8.") from None


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _check_lines(text: str, path: Path) -> None:
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or not _is_right(binding):
            original = binding.original.string
            blank = original[: len(original) - len(original.lstrip())]
            line = binding.original.line + blank.count("\n")
            raise SettingsError(f"{path}, line {line} cannot be parsed: expected NAME=value.")


def _is_right(binding: Binding) -> bool:
    """A comment, or a name with a value."""
    return binding.key is None or (binding.value is not None and _NAME.fullmatch(binding.key) is not None)
