"""An incident as e-mail: all of its steps are one thread. Pure.

The rules are those of RFC 5322 (Message-ID, In-Reply-To, References), of RFC 3834 (Auto-Submitted) and of Google's page "Group emails into
conversations": replies of a thread have the same subject.
"""

import time
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final

from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import link, safe_key, text, title

_POLICY: Final = SMTP.clone(cte_type="7bit")
"""Every server takes ASCII, whatever the text is."""
_MAX_SUBJECT: Final = 120
_MAX_TEXT: Final = 20_000
_HEADERS: Final = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def mail(event: IncidentEvent, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The message of a step. `remote_id` is the subject of the first one, which the others repeat."""
    message, first = EmailMessage(policy=_POLICY), _first_id(event, sender)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = f"Re: {subject(event)}" if event.remote_id else subject(event)
    message["Date"] = formatdate(time.time())
    message["Message-ID"] = _message_id(event, sender)
    if message["Message-ID"] != first:
        message["In-Reply-To"] = first
        message["References"] = first
    for name, value in _HEADERS.items():
        message[name] = value
    body = text(event, _MAX_TEXT)
    url = link(event)
    message.set_content(f"{body}\n\n{url}\n" if url and url not in body else f"{body}\n", charset="utf-8")
    return message


def subject(event: IncidentEvent) -> str:
    """In one line: a header has no line break."""
    return event.remote_id or f"[{event.incident.level}] {title(event, _MAX_SUBJECT)}"


def _first_id(event: IncidentEvent, sender: str) -> str:
    """The same for all steps of an incident, and for a retry of its first one."""
    return f"<{_local_part(event)}@{_domain(sender)}>"


def _message_id(event: IncidentEvent, sender: str) -> str:
    suffix = {
        IncidentStep.OPEN: "",
        IncidentStep.UPDATE: f".update-{event.incident.count}",
        IncidentStep.ACKNOWLEDGE: ".acknowledged",
        IncidentStep.RESOLVE: ".resolved",
    }[event.step]
    return f"<{_local_part(event)}{suffix}@{_domain(sender)}>"


def _local_part(event: IncidentEvent) -> str:
    return f"{safe_key(event.key)}.{int(event.incident.first_at * 1000)}"


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2]
