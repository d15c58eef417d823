"""The command line: `sovani …`, or `python -m service …`."""

import argparse
import sys
from collections.abc import Callable
from typing import Final, NoReturn

from service import __version__
from service.cli.command_help import epilog, overview
from service.cli.command_list import COMMANDS
from service.cli.exit_codes import INTERRUPTED
from service.cli.output import complain, program, write
from service.database import migrations
from telemetry.redaction import redact_start_error
from telemetry.settings import SettingsError


class _Parser(argparse.ArgumentParser):
    """Repeats no secret of the command line in its complaints."""

    def error(self, message: str) -> NoReturn:
        options = {"", *(option for action in self._actions for option in action.option_strings)}
        words = {word for argument in sys.argv[1:] for word in (argument, argument.partition("=")[2])} - options
        super().error(redact_start_error(message, words))


_EPILOG: Final = """\
examples:
  %(prog)s serve --workers 4
  %(prog)s run-job sync_wb_reviews
  %(prog)s silence scheduler --for 2h --because "the warehouse is moved"

exit codes:
  0    success
  1    failure, or a setting is invalid
  2    wrong argument
  130  stopped by Ctrl-C
  `COMMAND --help` lists further ones.

Every setting is an environment variable or a line of .env; .env.example explains each.
"""


def make_parser(program: str) -> argparse.ArgumentParser:
    """The parser of all commands, for a program of this name."""
    parser = _Parser(
        prog=program,
        description="Reviews, orders and advice for sellers on Wildberries and Ozon, completely observable.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sovani {__version__}")
    commands = parser.add_subparsers(
        title="commands", description=overview(COMMANDS), required=True, metavar="COMMAND", help="one of these"
    )
    for command in COMMANDS:
        each = commands.add_parser(
            command.name,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=epilog(program, command),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        each.set_defaults(command=command.run)
        command.add_arguments(each)
    return parser


def main() -> int:
    try:
        try:
            return _run()
        finally:
            write(sys.stdout)  # of `--help`, too
    except KeyboardInterrupt:
        return INTERRUPTED


def _run() -> int:
    options = make_parser(program()).parse_args()
    migrations.register_missing_table_sentence()
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except SettingsError as error:
        return complain(str(error))
