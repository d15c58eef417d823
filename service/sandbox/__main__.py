"""`python -m service.sandbox`: the sandbox as a process of its own. With `--with-parent` it ends when its standard input does."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn

from service.sandbox.fake_service import Environment, FakeService
from service.sandbox.faults import ConnectionCut, Faults
from service.sandbox.journal import Journal
from service.sandbox.openai.fake import OpenAIFake
from service.sandbox.options import Options
from service.sandbox.ozon.fake import OzonFake
from service.sandbox.server import Sandbox
from service.sandbox.simulation import Simulation, utcnow
from service.sandbox.telegram.fake import TelegramFake
from service.sandbox.wildberries.fake import WildberriesFake

_MAX_PORT: Final = 65535


def build(seed: int, faults: Faults, options: Options, journal: Journal) -> Sandbox:
    simulation = Simulation(seed, journal.start(seed, utcnow()))
    environment = Environment(simulation, journal, options)
    fakes: dict[str, FakeService] = {
        "wb": WildberriesFake(environment),
        "ozon": OzonFake(environment),
        "openai": OpenAIFake(environment),
        "telegram": TelegramFake(environment),
    }
    return Sandbox(environment, fakes, faults)


def _parse_options(pairs: Sequence[str]) -> Options:
    """Parse pairs such as `wb_orders=200000`; durations are in seconds.

    Raises:
        ValueError: a name or a value is invalid; the message is a sentence for the user.
    """
    kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(Options)}
    given: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in kinds:
            raise ValueError(f"There is no option {name!r}. There are: {', '.join(kinds)}.")
        given[name] = _value(name, kinds[name], text)
    return Options(**given)


def _value(name: str, kind: type, text: str) -> Any:
    parse, description = _PARSERS_BY_TYPE[kind]
    try:
        return parse(text)
    except (ValueError, KeyError, OverflowError):
        raise ValueError(f"{name} is {text!r}, but must be {description}.") from None


def _duration(text: str) -> timedelta:
    duration = timedelta(seconds=float(text))
    if duration <= timedelta(0):
        raise ValueError(text)
    return duration


_PARSERS_BY_TYPE: Final[Mapping[type, tuple[Callable[[str], Any], str]]] = {
    bool: (lambda text: {"true": True, "false": False}[text.lower()], "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    str: (str, "a word"),
    timedelta: (_duration, "a number of seconds, more than 0"),
}


def _faults(text: str) -> Faults:
    """Argparse shows the message of this error type only."""
    try:
        return Faults.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {_MAX_PORT}")
    return int(text)


def _parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m service.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=8081)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=_faults, default=Faults(), help="such as 0.2, or 429=0.1,5xx=0.05")
    parser.add_argument("--journal", type=Path, help="a file that keeps what was done to the world")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="such as wb_orders=200000")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    return parser.parse_args(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sandbox until it is stopped. Returns the exit code."""
    arguments = _parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(message)s")
    try:
        listening = socket.create_server((arguments.host, arguments.port))
    except OSError as error:
        # With a parent, another worker may have been first; else the parent reports the error.
        sentence = f"Cannot listen on {arguments.host}:{arguments.port} ({error.strerror})."
        return 1 if arguments.with_parent else _fail(sentence, 1)
    # Inherited by each connection. asyncio sets it only for sockets whose protocol is named; without it a response takes 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if arguments.with_parent:
        threading.Thread(target=_stop_with_parent, daemon=True).start()
    with listening:
        return _serve(arguments, listening)


def _serve(arguments: argparse.Namespace, listening: socket.socket) -> int:
    """Serve. Only the process that has the port writes the journal."""
    try:
        journal = Journal(arguments.journal)
        sandbox = build(arguments.seed, arguments.faults, _parse_options(arguments.option), journal)
    except ValueError as error:
        return _fail(str(error), 2)
    except OSError as error:
        return _fail(f"The journal {arguments.journal} cannot be kept ({error.strerror}).", 1)
    logging.getLogger("uvicorn.error").addFilter(_is_no_injected_cut)
    config = uvicorn.Config(
        sandbox.app(),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after it has stopped
        asyncio.run(uvicorn.Server(config).serve([listening]))
    journal.close()
    return 0


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code


def _is_no_injected_cut(record: logging.LogRecord) -> bool:
    """Drop the record of a connection that was cut on purpose."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionCut))


def _stop_with_parent() -> None:
    """Stop when standard input ends: it does when the parent has ended, however it ended."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
