"""The report of a service that was killed: its processes, when it was seen last, and the probable cause."""

import json
import logging
from collections.abc import Sequence
from typing import Final

from telemetry import semconv
from telemetry.durations import format_timestamp
from telemetry.environment.runbook import RunbookSection
from telemetry.health.memory import OomKills
from telemetry.health.usage import Usage
from telemetry.processes.process_group import boot_id
from telemetry.processes.run_markers import RunMarker

COMPONENT: Final = "app"
SCARCE_MEMORY_PERCENT: Final = 90
_MAX_PIDS: Final = 10
_ADVICE: Final = "Raise the memory limit, or use fewer workers."
_log = logging.getLogger(__name__)


def log_killed(killed: Sequence[RunMarker], oom: OomKills) -> None:
    """One alert, whoever was killed: those of a crash loop are its repeats. A lack of memory is an alert of its own."""
    last = max(killed, key=lambda each: each.seen_at)
    cause, is_of_memory = _cause(last, oom)
    facts = {
        "Processes": _processes(killed),
        "Started": format_timestamp(min(each.started_at for each in killed)),
        "Last seen": format_timestamp(last.seen_at),
        "Host": last.host,
        "Memory": f"{_memory(last).percent}% of {last.memory_total // 2**20:,} MB were used when it was last seen",
    }
    fingerprint = RunbookSection.SERVICE_KILLED.removeprefix("message-")
    attributes = {
        semconv.COMPONENT: COMPONENT,
        semconv.ALERT_LEVEL: logging.getLevelName(logging.WARNING),
        semconv.ALERT_SECTION: str(RunbookSection.SERVICE_KILLED),
        semconv.ALERT_FINGERPRINT: f"{fingerprint}-for-memory" if is_of_memory else fingerprint,
        semconv.ALERT_FACTS: json.dumps(facts, ensure_ascii=False),
    }
    _log.warning("%s\n%s", _event(killed, last), cause, extra=attributes)


def _event(killed: Sequence[RunMarker], last: RunMarker) -> str:
    if last.boot != boot_id():
        return "The machine went down while the service was running. The service runs again."
    what = "its process" if len(killed) == 1 else f"its {len(killed)} processes"
    if any(each.is_orphaned for each in killed):
        what = f"the parent of {what}"
    return f"The service was killed: {what} ended without an orderly stop. The service runs again."


def _cause(last: RunMarker, oom: OomKills) -> tuple[str, bool]:
    """The probable cause, and whether that is a lack of memory."""
    earlier = OomKills(last.oom_group, last.oom_kills)
    if last.boot != boot_id():
        return "Look for a crash or a loss of power in the log of the machine.", False
    if number := oom.since(earlier):
        return f"The kernel has killed {_number(number)} of its container for memory since then. {_ADVICE}", True
    if (is_new := oom.is_of_another_group(earlier)) and earlier.count:
        return (
            f"Before it ended, the kernel killed {_number(earlier.count)} of its container for memory. {_ADVICE}",
            True,
        )
    if _memory(last).percent >= SCARCE_MEMORY_PERCENT:
        return f"It may have been out of memory. {_ADVICE}", True
    if is_new:
        return (
            "Its memory was not scarce when it was last seen, but may have run out within seconds. The kernel's count of kills went with the "
            "former container: `docker events --since 1h --until 0s --filter event=oom` or `kubectl describe pod` shows kills for memory."
        ), False
    return (
        "Its memory was not scarce when it was last seen. Find in the log of the kernel or of the supervisor what killed it."
    ), False


def _number(processes: int) -> str:
    return "a process" if processes == 1 else f"{processes} processes"


def _memory(marker: RunMarker) -> Usage:
    return Usage(marker.memory_used, marker.memory_total)


def _processes(killed: Sequence[RunMarker]) -> str:
    pids = sorted(each.pid for each in killed)
    shown = ", ".join(map(str, pids[:_MAX_PIDS])) + (", …" if len(pids) > _MAX_PIDS else "")
    parents = sorted({each.parent for each in killed if each.parent})
    return f"{shown} (workers of {', '.join(map(str, parents))})" if parents else shown
