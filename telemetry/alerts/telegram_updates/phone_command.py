"""A command that operators may send to the bot, and the set of those that there are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

RUN: Final = "run"
"""The command behind the button *Run again*; its argument is the name of a job."""


@dataclass(frozen=True, slots=True)
class PhoneCommand:
    """A command of the bot.

    Attributes:
        name: lower-case letters, digits and underscores, as Telegram allows.
        description: one line for the list of commands.
        run: takes the argument and who asks, and returns the answer: plain text. It runs in the thread that reads updates.
        argument: what the argument is called in the help; empty without one.
        changes: the command changes something, so it is not executed long after it was sent.
    """

    name: str
    description: str
    run: Callable[[str, str], str]
    argument: str = ""
    changes: bool = False


@dataclass(slots=True)
class PhoneCommands:
    """Commands by name. A later one replaces an earlier one of its name."""

    by_name: dict[str, PhoneCommand] = field(default_factory=dict)

    def add(self, commands: Iterable[PhoneCommand]) -> None:
        self.by_name |= {each.name: each for each in commands}

    def descriptions(self) -> dict[str, str]:
        return {name: each.description for name, each in self.by_name.items()}

    def help(self) -> str:
        """A line for each command."""
        return "\n".join(
            f"/{each.name}{f' {each.argument}' if each.argument else ''}: {each.description}"
            for each in self.by_name.values()
        )
