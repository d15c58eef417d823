"""Random programs that fail and log it in the ways that programs do, made from a seed; each statement in a file of its own."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

from telemetry.alerts.intake.exporter import AlertExporter
from telemetry.logs.background.log_writer import LogWriter
from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.logs.otel_handler import OTelHandler

SOURCE: Final = '''
import logging


def plain(log, times):
    for _ in range(times):
        log.error("{name} plain")


def caught(log, times):
    for _ in range(times):
        try:
            raise ValueError("{name} reason")
        except ValueError:
            log.exception("{name} caught")


def retried(log, times):
    """The exception that was told of is the cause of another one, which is worse."""
    last = None
    for _ in range(times):
        try:
            raise TimeoutError("{name} reason")
        except TimeoutError as error:
            log.exception("{name} attempt")
            last = error
    try:
        raise RuntimeError("{name} is over") from last
    except RuntimeError:
        log.critical("{name} gave up", exc_info=True)


def grouped(log, times):
    """Several files log it with the same words: only the members tell them apart."""
    for _ in range(times):
        try:
            try:
                raise LookupError("{name} member")
            except LookupError as error:
                raise ExceptionGroup("unhandled errors in a TaskGroup", [ExceptionGroup("inner", [error])]) from None
        except ExceptionGroup:
            log.exception("tasks failed")


def passed_on(log, times):
    """Told where it was caught first; above, it is the same one."""
    for _ in range(times):
        try:
            inside(log)
        except OSError:
            log.exception("{name} outside")


def inside(log):
    try:
        raise OSError("{name} reason")
    except OSError:
        log.exception("{name} inside")
        raise


def rising(log, times):
    """One statement, whose last occurrence is worse than those before."""
    for number in range(times):
        log.log(logging.CRITICAL if number == times - 1 else logging.ERROR, "{name} rises")
'''
FORMS: Final[dict[str, Callable[[int], dict[str, tuple[int, str]]]]] = {
    "plain": lambda times: {"plain": (times, "ERROR")},
    "caught": lambda times: {"caught": (times, "ERROR")},
    "retried": lambda times: {"attempt": (times, "ERROR"), "gave up": (1, "CRITICAL")},
    "grouped": lambda times: {"member": (times, "ERROR")},
    "passed_on": lambda times: {"inside": (times, "ERROR")},
    "rising": lambda times: {"rises": (times, "CRITICAL")},
}
"""The words of what each function is to be told as, with how often and the highest level."""


class LoggedFailures:
    """Logs through the real handlers, to an intake that may be replaced. `expected` is what has to be told."""

    def __init__(self, random: Random, intake: Callable[[], Any], clock: Callable[[], float]) -> None:
        self._random = random
        self._clock = clock
        self._provider = LoggerProvider(shutdown_on_exit=False)
        self._provider.add_log_record_processor(SimpleLogRecordProcessor(AlertExporter(_Current(intake))))
        self._modules: dict[str, dict[str, Any]] = {}
        self.expected: Counter[str] = Counter()
        self.levels: defaultdict[str, set[str]] = defaultdict(set)

    @contextmanager
    def logger(self) -> Iterator[logging.Logger]:
        handler = QueuedHandler(LogWriter("log_pipeline", [OTelHandler(logging.ERROR, self._provider)]))
        handler.always_waits = True
        log = logging.Logger("shop.orders")  # noqa: LOG001  # no parent, and nobody else's handlers
        log.addFilter(self._now)
        log.addHandler(handler)
        try:
            yield log
        finally:
            handler.close()
            self._provider.shutdown()

    def fail(self, log: logging.Logger) -> None:
        """Run some of the functions, some of them again."""
        for _ in range(self._random.choice((1, 2, 5))):
            name, form = f"kind{self._random.randint(0, 15):02}", self._random.choice(list(FORMS))
            times = self._random.choice((1, 2, 4))
            self._module(name)[form](log, times)
            for words, (number, level) in FORMS[form](times).items():
                self.expected[f"{name} {words}"] += number
                self.levels[f"{name} {words}"].add(level)

    def _module(self, name: str) -> dict[str, Any]:
        if name not in self._modules:
            code = compile(SOURCE.format(name=name), f"/srv/shop/{name}.py", "exec")
            self._modules[name] = {"__name__": name}
            exec(code, self._modules[name])  # noqa: S102  # the source is above
        return self._modules[name]

    def _now(self, record: logging.LogRecord) -> bool:
        record.created = self._clock()
        return True


class _Current:
    """The intake of the process that lives now."""

    def __init__(self, intake: Callable[[], Any]) -> None:
        self._intake = intake

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: getattr(self._intake(), name)(*arguments)  # noqa: PLW0108  # of the process that lives when it is called
