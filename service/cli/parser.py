"""The command line: `sovani …`, or `python -m service …`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from service import __version__
from service.cli import alerts, database, doctor, jobs, scheduler
from service.cli.output import complain
from service.cli.serve import serve
from service.database import migrations
from telemetry.redaction import redact_start_error
from telemetry.settings import SettingsError

Command = Callable[[argparse.Namespace], int]


def _program() -> str:
    """How the commands were called: by the script of the wheel, or as a module."""
    return "sovani" if Path(sys.argv[0]).name == "sovani" else "python -m service"


class _Parser(argparse.ArgumentParser):
    """Repeats no secret of the command line in its complaints."""

    def error(self, message: str) -> NoReturn:
        words = [word for argument in sys.argv[1:] for word in (argument, argument.partition("=")[2]) if word]
        super().error(redact_start_error(message, words))


_EPILOG: Final = """\
examples:
  %(prog)s serve --workers 4
  %(prog)s run-job sync_wb_reviews
  %(prog)s silence scheduler --for 2h --because "the warehouse is moved"

exit codes:
  0 success, 1 failure, 2 wrong argument, 130 stopped by Ctrl-C

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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_serve(commands)
    _add(commands, "scheduler", scheduler.scheduler, "run the scheduled jobs, without the API")
    _add(commands, "jobs", jobs.jobs, "list the schedule, with last and next runs")
    run_job = _add(commands, "run-job", jobs.run_job, "run one job now, and record the run like a scheduled one")
    run_job.add_argument("name", metavar="NAME", help="the job's name, as `jobs` lists it")
    test_alert = _add(
        commands,
        "test-alert",
        alerts.test_alert,
        "send a test alert, and wait until it is delivered",
    )
    test_alert.add_argument(
        "--within", type=_positive, default=60, metavar="SECONDS", help="how long to wait (default: 60)"
    )
    _add_silence(commands)
    _add_database(commands)
    _add(
        commands,
        "doctor",
        doctor.doctor,
        "check configuration, database, migrations, backups, directories, instrumentation and credentials; exit 1 on failure",
    )
    return parser


def _add(
    commands: "argparse._SubParsersAction[_Parser]", name: str, command: Command, sentence: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=sentence, description=f"{sentence[0].upper()}{sentence[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _add_database(commands: "argparse._SubParsersAction[_Parser]") -> None:
    restore = _add(
        commands, "restore", database.restore, "restore the database from a backup; without FILE, list the backups"
    )
    restore.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the backup")
    copy = _add(commands, "copy-database", database.copy, "copy every row into another, empty database")
    copy.add_argument(
        "target",
        metavar="URL",
        help="the other database, such as postgresql+psycopg://user@host/name (PGPASSWORD is used)",
    )


def _add_serve(commands: "argparse._SubParsersAction[_Parser]") -> None:
    command = _add(commands, "serve", serve, "serve the API, and run the scheduled jobs")
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes that serve (default: 1)")
    command.add_argument("--host", help="address to listen on (default: HOST, 127.0.0.1)")
    command.add_argument("--port", help="port to listen on (default: PORT, 8080)")
    command.add_argument("--no-scheduler", action="store_true", help="leave the jobs to `python -m service scheduler`")


def _add_silence(commands: "argparse._SubParsersAction[_Parser]") -> None:
    silence = _add(commands, "silence", alerts.silence, "silence the alerts of one component for a given time")
    silence.add_argument("component", metavar="COMPONENT", nargs="?", help="such as scheduler, http, database; or all")
    silence.add_argument("--for", dest="seconds", type=_duration, metavar="TIME", help="how long: 30m, 2h, 1d")
    silence.add_argument("--because", metavar="REASON", help="the reason, shown in GET /alerts")
    silence.add_argument("--end", action="store_true", help="end the silence of the component now")
    silence.add_argument("--list", action="store_true", help="list the silences")


def _duration(text: str) -> float:
    try:
        return alerts.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def main() -> int:
    options = make_parser(_program()).parse_args()
    migrations.register_missing_table_sentence()
    command: Command = options.command
    try:
        return command(options)
    except SettingsError as error:
        return complain(str(error))
    except KeyboardInterrupt:
        return 130
