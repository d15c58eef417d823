"""Texts of an incident within the limits of a service, which counts characters, UTF-16 units or bytes."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Final

from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.rendering.markup import ELLIPSIS, clean, cut, one_line

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_READ: Final = 40_000
_MAX_LINE: Final = 4000
_MAX_FACTS: Final = 20
_MAX_NAME: Final = 50
_MAX_VALUE: Final = 300
_MAX_COMPONENT: Final = 100


def safe_key(key: str) -> str:
    """The key where every service takes it: 1 to 64 letters, digits, `-` and `_`. Of another one its hash."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:40]


def title(event: IncidentEvent, max_units: int) -> str:
    """The incident in one line, in at most so many UTF-16 units: never more characters than that either."""
    incident = event.incident
    what = _line(incident.summary) or _line(incident.error) or "(no text)"
    return cut(f"{component(event)}: {what}", max_units)


def text(event: IncidentEvent, max_units: int) -> str:
    """The whole message, in at most so many UTF-16 units. Who acknowledged the incident is its first line."""
    first, message = heading(event), clean(event.message.plain[:_MAX_READ]).strip() or title(event, max_units)
    return cut(message if first in message else f"{first}\n{message}", max_units)


def heading(event: IncidentEvent) -> str:
    """Who acknowledged the incident, as long as it is open; empty for nobody."""
    is_acknowledged = event.step == IncidentStep.ACKNOWLEDGE or event.acknowledged_by
    if not is_acknowledged or event.step == IncidentStep.RESOLVE:
        return ""
    return f"Acknowledged by {cut(_line(event.acknowledged_by), _MAX_COMPONENT) or 'an operator'}."


def cut_bytes(words: str, max_bytes: int) -> str:
    """Keep the beginning, in at most so many bytes of UTF-8; an ellipsis marks the cut."""
    encoded = words.encode()
    if len(encoded) <= max_bytes:
        return words
    return encoded[: max_bytes - len(ELLIPSIS.encode())].decode("utf-8", "ignore") + ELLIPSIS


def component(event: IncidentEvent) -> str:
    return cut(_line(event.incident.component), _MAX_COMPONENT) or "unknown"


def details(event: IncidentEvent) -> dict[str, str]:
    """Names and values, for fields that a service shows in a table."""
    incident = event.incident
    found = {
        "component": component(event),
        "level": str(incident.level),
        "fingerprint": incident.fingerprint,
        "occurrences": str(incident.count),
        "first_at": rfc3339(incident.first_at),
        "last_at": rfc3339(incident.last_at),
        "location": incident.location,
        "trace_id": incident.trace_id,
        "runbook": event.runbook_url,
        "trace": event.trace_url,
        **dict(list(incident.facts.items())[:_MAX_FACTS]),
    }
    return {cut(_line(name), _MAX_NAME): cut(_line(value), _MAX_VALUE) for name, value in found.items() if value}


def _line(words: str) -> str:
    """One line; of a text that may be a megabyte, the beginning is enough."""
    return one_line(words[:_MAX_LINE])


def rfc3339(at: float) -> str:
    return datetime.fromtimestamp(min(max(at, 0.0), 4e9), UTC).isoformat(timespec="milliseconds")


def link(event: IncidentEvent) -> str:
    """Where a person reads on: the trace, else the runbook, if that is an address of the web."""
    return next((url for url in (event.trace_url, event.runbook_url) if url.startswith(("http://", "https://"))), "")
