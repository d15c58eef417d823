"""The page of all variables: from the settings, the comments of .env.example, and the table of OpenTelemetry's variables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from service.settings import Settings
from telemetry.environment.otel_variables import VARIABLES
from tools.reference.markdown import code, sentence, table

EXAMPLE: Final = Path(__file__).parents[2] / ".env.example"
_SECTION: Final = re.compile(r"# --- (.+?) -+$")
_ASSIGNMENT: Final = re.compile(r"#?([A-Z][A-Z0-9_]+)=(.*)$")


@dataclass(frozen=True, slots=True)
class Explained:
    """A variable of .env.example: its section, and the comment above it."""

    section: str
    meaning: str
    example: str


def explained(text: str) -> dict[str, Explained]:
    """The variables of .env.example by name. A comment holds for the variables that follow it, up to the next one."""
    found: dict[str, Explained] = {}
    section, comment, ended = "", [""], True
    for line in text.splitlines():
        if match := _SECTION.fullmatch(line):
            section, comment, ended = match[1], [], True
        elif match := _ASSIGNMENT.fullmatch(line):
            found[match[1]] = Explained(section, " ".join(comment), match[2])
            ended = True
        elif line.startswith("# "):
            comment = [line[2:]] if ended else [*comment, line[2:]]
            ended = False
        else:
            comment, ended = [], True
    return found


def page() -> str:
    """The whole page."""
    known = explained(EXAMPLE.read_text("utf-8"))
    return "\n\n".join([_HEAD, *_own(known), _OTEL_HEAD, _otel(known)]) + "\n"


def _own(known: dict[str, Explained]) -> Iterator[str]:
    fields = {name.upper(): field for name, field in Settings.model_fields.items()}
    section = ""
    for name in [name for name in known if name in fields] + [name for name in fields if name not in known]:
        about = known.get(name, Explained("Other variables", "", ""))
        if about.section != section:
            section = about.section
            yield f"## {section}"
        yield f"### `{name}`"
        if about.meaning:
            yield sentence(about.meaning)
        yield _facts(name, fields[name], about)


def _facts(name: str, field: FieldInfo, about: Explained) -> str:
    default = "" if field.is_required() or field.default is None else _shown(field.default)
    default = default.lower() if isinstance(field.default, bool) else default
    rows = [
        ("type", "secret" if SecretStr.__name__ in str(field.annotation) else _type(field)),
        ("allowed", field.description or ""),
        ("default", code(default) or "not set"),
    ]
    if about.example and about.example != default:
        rows.append(("example", code(f"{name}={about.example}")))
    return table(("", ""), rows)


def _shown(default: object) -> str:
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _type(field: FieldInfo) -> str:
    words = {"int": "whole number", "float": "number", "bool": "boolean", "Path": "path", "Literal": "choice"}
    found = next((word for name, word in words.items() if re.search(rf"\b{name}\b", str(field.annotation))), None)
    return found or "text"


def _otel(known: dict[str, Explained]) -> str:
    """The variables that the start checks, and those of .env.example that may be any text."""
    allowed = {
        name: f"any text, such as {code(about.example)}" for name, about in known.items() if name.startswith("OTEL_")
    }
    allowed |= {name: kind.expected() for name, kind in VARIABLES.items()}
    rows = [(code(name), words) for name, words in sorted(allowed.items()) if name.lower() not in Settings.model_fields]
    return table(("variable", "allowed"), rows)


_HEAD: Final = """# Configuration

Every setting is an environment variable or a line of `.env`; the environment wins. A wrong value stops the start with one line that
names the variable, its value and the allowed values. So does a misspelled name.

`make reference` makes this page from the settings and from `.env.example`."""
_OTEL_HEAD: Final = """## OpenTelemetry's variables

The SDK, its exporters and the instrumentation packages read these. The start checks them like the service's own."""
