"""The page of all commands, from the argument parser."""

import argparse
from collections.abc import Iterator
from typing import Final

from service.cli import parser as command_line
from service.cli.command_list import COMMANDS
from tools.reference.markdown import code, sentence, table


def page() -> str:
    """The whole page."""
    parser = command_line.make_parser(_PROGRAM)
    return "\n\n".join([_HEAD, *(part for name, each in _commands(parser) for part in _command(name, each))]) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in _arguments(parser):
        if isinstance(action.choices, dict):
            yield from action.choices.items()


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## `{name}`"
    yield sentence(parser.description or "")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    yield f"```\n{usage}\n```"
    rows = [(_names(action), action.help) for action in _arguments(parser) if action.help and action.dest != "help"]
    if rows:
        yield table(("argument", "meaning"), rows)
    command = next(each for each in COMMANDS if each.name == name)
    yield "\n".join(["```sh", *(f"{_PROGRAM} {example}" for example in command.examples), "```"])
    yield table(
        ("exit code", "meaning"), [(code(str(number)), text) for number, text in command.all_exit_codes.items()]
    )


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001  # argparse lists its arguments nowhere else


def _names(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    return ", ".join(code(f"{option} {value}".strip()) for option in action.option_strings) or code(value)


_PROGRAM: Final = "python -m service"
_HEAD: Final = """# Commands

`python -m service COMMAND`, or `sovani COMMAND` where the wheel is installed. `--help` after a command prints the same.

`make reference` makes this page from the argument parser."""
