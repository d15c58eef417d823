"""What `--help` says of a command: its group, its purpose, examples and exit codes."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from service.cli.exit_codes import FAILURE, INTERRUPTED, SUCCESS, USAGE

AddArguments = Callable[[argparse.ArgumentParser], None]
COMMON_EXIT_CODES: Final[Mapping[int, str]] = {
    SUCCESS: "success",
    FAILURE: "failure, or a setting is invalid",
    USAGE: "wrong argument",
    INTERRUPTED: "stopped by Ctrl-C",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line.

    Attributes:
        group: the heading of the list of commands under which it stands.
        summary: a sentence without its full stop, in lower case.
        examples: the arguments of each example, with the command's own name.
        exit_codes: those that mean something else than in `COMMON_EXIT_CODES`, or are not there.
        add_arguments: adds the command's own arguments.
    """

    name: str
    group: str
    run: Callable[[argparse.Namespace], int]
    summary: str
    examples: tuple[str, ...]
    exit_codes: Mapping[int, str] = field(default_factory=dict)
    add_arguments: AddArguments = lambda _parser: None

    @property
    def all_exit_codes(self) -> Mapping[int, str]:
        return dict(sorted({**COMMON_EXIT_CODES, **self.exit_codes}.items()))


def epilog(program: str, command: Command) -> str:
    """The end of the help of one command."""
    codes = [f"  {code:<4} {meaning}" for code, meaning in command.all_exit_codes.items()]
    examples = [f"  {program} {example}" for example in command.examples]
    return _raw(["examples:", *examples, "", "exit codes:", *codes])


def overview(commands: Iterable[Command]) -> str:
    """All commands by group, each with its summary."""
    commands = list(commands)
    width = max(len(command.name) for command in commands)
    lines = []
    for group, members in groupby(commands, lambda command: command.group):
        lines += ["", f"{group}:", *(f"  {each.name:<{width}}  {each.summary}" for each in members)]
    return _raw(lines[1:])


def _raw(lines: Iterable[str]) -> str:
    """The lines as argparse prints them unchanged."""
    return "\n".join(lines).replace("%", "%%")
