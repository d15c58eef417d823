"""`python -m bench`: measures, reports its progress on stderr, and prints tables."""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from bench.progress import clear, say
from bench.table import Table

PARTS = {
    "request": "bench.request_cost",
    "costs": "bench.request_accounting",
    "throughput": "bench.throughput",
    "calls": "bench.client_calls",
    "scrape": "bench.scrape",
    "jobs": "bench.jobs",
    "records": "bench.instruments",
    "alerts": "bench.alerts",
    "redaction": "bench.redaction",
    "sync": "bench.sync",
    "statistics": "bench.job_queries",
    "workers": "bench.workers",
    "stalls": "bench.latency_under_scrape",
    "console": "bench.console_pages",
    "profiles": "bench.profiles",
}
_PACKAGES = (
    "fastapi",
    "uvicorn",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-instrumentation-httpx",
    "opentelemetry-instrumentation-sqlalchemy",
    "opentelemetry-exporter-prometheus",
    "prometheus-client",
    "prometheus-fastapi-instrumentator",
    "sqlalchemy",
)
# Variables with these prefixes are removed: they would change what is measured.
_FOREIGN_PREFIXES = ("OTEL_", "FASTAPI_OTEL_", "PROMETHEUS_")


def main() -> None:
    chosen = _arguments()
    started = time.monotonic()
    for name in [name for name in os.environ if name.startswith(_FOREIGN_PREFIXES)]:
        del os.environ[name]
    print(_machine())
    measured = [_print(part, quick=chosen.quick) for part in chosen.parts or PARTS]
    clear()
    print(f"All of it took {time.monotonic() - started:.0f} s.")
    sys.exit(0 if all(measured) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: sooner, and less exact")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return chosen


def _print(part: str, *, quick: bool) -> bool:
    """Measure and print a part. Returns False if it failed; the other parts go on."""
    say(part)
    try:
        for table in _tables(part, quick=quick):
            clear()
            print(table, flush=True)
    except Exception as error:  # noqa: BLE001  # what others' packages may raise
        clear()
        print(f"{part}: could not be measured: {type(error).__name__}: {error}\n", flush=True)
        return False
    return True


def _tables(part: str, *, quick: bool) -> Iterator[Table]:
    measure: Callable[..., Iterator[Table]] = import_module(PARTS[part]).tables
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        yield from measure(Path(directory), quick=quick)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"Python {platform.python_version()}, {os.cpu_count()} cores; {packages}\n"


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
