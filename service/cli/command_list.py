"""All commands, in the order of `--help`."""

import argparse
from pathlib import Path
from typing import Final

from service.cli import alerts, database, doctor, jobs, profiling, scheduler
from service.cli.command_help import Command
from service.cli.exit_codes import BUSY, FAILURE, INTERRUPTED, SUCCESS, TERMINATED, USAGE
from service.cli.serve import STARTUP_FAILED, serve
from telemetry.profiling import DEFAULT_RATE, MAX_RATE, MIN_RATE

_MAX_PORT: Final = 65_535
_MAX_PROFILE_SECONDS: Final = 3600


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    listening = parser.add_argument_group("address")
    listening.add_argument("--host", help="address to listen on (default: HOST, 127.0.0.1)")
    listening.add_argument("--port", type=_port, help="port to listen on (default: PORT, 8080)")
    processes = parser.add_argument_group("processes")
    processes.add_argument("--workers", type=_positive, default=1, metavar="N", help="worker processes (default: 1)")
    processes.add_argument("--no-scheduler", action="store_true", help="leave the jobs to the command `scheduler`")


def _run_job_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument_group("job").add_argument("name", metavar="NAME", help="the job's name, as `jobs` lists it")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--quiet", action="store_true", help="show no progress; without a terminal there is none anyway"
    )
    text = "profile the run, and write FILE: .svg (flamegraph) or .json (speedscope)"
    output.add_argument("--profile", type=Path, metavar="FILE", help=text)


def _test_alert_arguments(parser: argparse.ArgumentParser) -> None:
    one = parser.add_argument_group("channel")
    one.add_argument("--channel", metavar="NAME", help="send to this channel alone, such as telegram or pagerduty")
    group, text = parser.add_argument_group("time limit"), "how long to wait (default: 60)"
    group.add_argument("--within", type=_positive, default=60, metavar="SECONDS", help=text)


def _acknowledge_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the alert")
    group.add_argument("id", metavar="ID", type=_positive, help="its id in GET /alerts")
    group.add_argument("--by", metavar="NAME", help="your name (default: your user name)")


def _silence_arguments(parser: argparse.ArgumentParser) -> None:
    begin = parser.add_argument_group("the silence")
    begin.add_argument("component", metavar="COMPONENT", nargs="?", help="such as scheduler, http, database; or all")
    begin.add_argument("--for", dest="seconds", type=_duration, metavar="TIME", help="how long: 30m, 2h, 1d")
    begin.add_argument("--because", metavar="REASON", help="the reason, shown in GET /alerts")
    other = parser.add_argument_group("instead of a new silence")
    other.add_argument("--end", action="store_true", help="end the silence of the component now")
    other.add_argument("--list", action="store_true", help="list the silences")


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("backup")
    group.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the backup to restore")


def _copy_arguments(parser: argparse.ArgumentParser) -> None:
    text = "the other database, such as postgresql+psycopg://user@host/name (PGPASSWORD is used)"
    parser.add_argument_group("target").add_argument("target", metavar="URL", help=text)


def _profile_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is profiled")
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--pid", type=_positive, metavar="N", help="one process of the service")
    choice.add_argument("--all", action="store_true", help="all processes of DATA_DIR on this machine (the default)")
    group.add_argument("--gil", action="store_true", help="only threads that hold the GIL")
    how = parser.add_argument_group("sampling")
    how.add_argument("--seconds", type=_profile_seconds, default=30, metavar="N", help="how long (default: 30)")
    text = f"samples per second, {MIN_RATE} to {MAX_RATE} (default: {DEFAULT_RATE})"
    how.add_argument("--rate", type=_rate, default=DEFAULT_RATE, metavar="HZ", help=text)
    output = parser.add_argument_group("output")
    text = "a flamegraph (.svg), or a file for speedscope.app (.json); default: profile-TIME.svg"
    output.add_argument("--output", type=Path, metavar="FILE", help=text)
    output.add_argument("--force", action="store_true", help="overwrite the file")


_RUN, _JOBS, _ALERTS, _DATABASE, _DIAGNOSIS = "service", "jobs", "alerts", "database", "diagnosis"
COMMANDS: Final = (
    Command(
        "serve",
        _RUN,
        serve,
        "serve the API, and run the scheduled jobs",
        ("serve", "serve --workers 4 --no-scheduler", "serve --host 0.0.0.0 --port 9000"),
        {
            SUCCESS: "stopped by a signal",
            FAILURE: "a setting is invalid, or a port is taken",
            STARTUP_FAILED: "the application could not start; the log says why",
        },
        _serve_arguments,
    ),
    Command(
        "scheduler",
        _RUN,
        scheduler.scheduler,
        "run the scheduled jobs, without the API",
        ("scheduler",),
        {SUCCESS: "stopped by SIGTERM or Ctrl-C", FAILURE: "a setting is invalid"},
    ),
    Command("jobs", _JOBS, jobs.jobs, "list the schedule, with last and next runs", ("jobs",)),
    Command(
        "run-job",
        _JOBS,
        jobs.run_job,
        "run one job now, and record the run like a scheduled one",
        ("run-job sync_wb_reviews", "run-job --quiet backup_database"),
        {
            SUCCESS: "the run succeeded, or could only wait for a rate limit",
            FAILURE: "the run failed, or a setting is invalid",
            USAGE: "wrong argument, such as an unknown job",
            BUSY: "another run of the job is active: try again later",
            TERMINATED: "stopped by SIGTERM",
        },
        _run_job_arguments,
    ),
    Command(
        "test-alert",
        _ALERTS,
        alerts.test_alert,
        "send a test alert, and wait until it is delivered",
        ("test-alert", "test-alert --within 120", "test-alert --channel pagerduty"),
        {SUCCESS: "delivered", FAILURE: "not delivered in time, or a setting is invalid"},
        _test_alert_arguments,
    ),
    Command(
        "acknowledge",
        _ALERTS,
        alerts.acknowledge_alert,
        "acknowledge an alert, so that it is not escalated",
        ("acknowledge 41", "acknowledge 41 --by anna"),
        {FAILURE: "there is no such alert, it has ended, or a setting is invalid"},
        _acknowledge_arguments,
    ),
    Command(
        "silence",
        _ALERTS,
        alerts.silence,
        "silence the alerts of one component for a given time",
        (
            'silence scheduler --for 2h --because "the warehouse is moved"',
            "silence scheduler --end",
            "silence --list",
        ),
        {FAILURE: "the alerts cannot be stored, or a setting is invalid"},
        _silence_arguments,
    ),
    Command(
        "restore",
        _DATABASE,
        database.restore,
        "restore the database from a backup; without FILE, list the backups",
        ("restore", "restore var/backups/sovani-20261129T031000Z.db"),
        {FAILURE: "not restored, there is no backup, or a setting is invalid"},
        _restore_arguments,
    ),
    Command(
        "copy-database",
        _DATABASE,
        database.copy,
        "copy every row into another, empty database",
        ("copy-database postgresql+psycopg://shop@db.example/shop", "copy-database sqlite:///copy.db"),
        {FAILURE: "not copied, or a setting is invalid", USAGE: "wrong argument, such as an unsupported URL"},
        _copy_arguments,
    ),
    Command(
        "doctor",
        _DIAGNOSIS,
        doctor.doctor,
        "check configuration, database, migrations, backups, directories, instrumentation and credentials",
        ("doctor",),
        {SUCCESS: "no check failed", FAILURE: "a check failed, or a setting is invalid"},
    ),
    Command(
        "profile",
        _DIAGNOSIS,
        profiling.profile,
        "sample the running processes of the service, and draw where their time goes",
        ("profile", "profile --seconds 60 --output flamegraph.svg", "profile --pid 4711 --output speedscope.json"),
        {
            SUCCESS: "the file is written",
            FAILURE: "nothing was sampled, py-spy is not installed, or a setting is invalid",
            USAGE: "wrong argument, such as a file that exists, or a process of another program",
            INTERRUPTED: "stopped by Ctrl-C; what was sampled until then is written",
            TERMINATED: "stopped by SIGTERM; likewise",
        },
        _profile_arguments,
    ),
)


def _duration(text: str) -> float:
    try:
        return alerts.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is invalid: expected a whole number from 1")
    return int(text)


def _rate(text: str) -> int:
    return _within(text, MIN_RATE, MAX_RATE, "samples per second")


def _profile_seconds(text: str) -> int:
    return _within(text, 1, _MAX_PROFILE_SECONDS, "seconds")


def _within(text: str, least: int, most: int, unit: str) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is invalid: expected {least} to {most} {unit}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is invalid: expected a port from 0 to {_MAX_PORT}")
    return int(text)
