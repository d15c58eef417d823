"""A stage for the alerts of the reference: what code reports there goes through the real pipeline, by a clock of its own."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from service.settings import Settings
from telemetry.alerts.alert import Alert, AlertKey
from telemetry.alerts.incident import Incident
from telemetry.alerts.intake.exporter import AlertExporter
from telemetry.alerts.notification import NotificationKind
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.rendering.message import Links, RenderRequest, render
from telemetry.compatibility.unstable_api import LoggerProvider, SimpleLogRecordProcessor
from telemetry.environment.runbook import Runbook
from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.logs.otel_handler import OTelHandler

BEGAN: Final = datetime(2025, 10, 2, 12, 52, tzinfo=UTC)
_LINKS: Final = Links(runbook=Runbook(Settings.runbook_path))


class AlertStage:
    """`now` is Unix time, which only the caller moves. The outbox is in `home`."""

    def __init__(self, home: Path) -> None:
        self.now = BEGAN.timestamp()
        self.outbox = Outbox(home / "outbox.db")
        self.incidents = IncidentRepository(self.outbox)

    def clock(self) -> float:
        return self.now

    def is_known(self, _fingerprint: str, _severity: int, _at: float) -> bool:
        return False

    def count_if_repeat(self, _key: AlertKey) -> bool:
        return False

    def report(self, alert: Alert) -> None:
        """Write what was logged into the outbox, by the clock of the stage."""
        self.incidents.add(replace(alert, at=self.now, stack="", location=""))

    def repeat(self, step: Callable[[], object], times: int, seconds: float) -> None:
        """Call several times, and move the clock in between."""
        for _ in range(times):
            step()
            self.now += seconds

    def messages(self) -> tuple[str, str]:
        """The message about the newest alert, and the one about its end if it was resolved."""
        incident = AlertQueries(self.outbox).page(self.now, limit=1)[0].incident
        firing = replace(incident, ended_at=None, end_reason=None, count=1)
        return self._render("alert", [firing]), self._render("end", [incident]) if incident.resolution else ""

    def digest(self) -> str:
        """The message about all alerts at once."""
        return self._render("digest", [each.incident for each in AlertQueries(self.outbox).page(self.now)])

    def _render(self, kind: NotificationKind, incidents: Sequence[Incident]) -> str:
        return render(RenderRequest(kind, incidents, self.now), _LINKS).plain


@contextmanager
def alert_stage(home: Path) -> Iterator[AlertStage]:
    """A stage that takes all that is logged meanwhile."""
    stage, provider, root = AlertStage(home), LoggerProvider(shutdown_on_exit=False), logging.getLogger()
    provider.add_log_record_processor(SimpleLogRecordProcessor(AlertExporter(stage)))
    handler, others = OTelHandler(logging.ERROR, provider), root.handlers[:]
    root.handlers[:] = [QueuedHandler(), handler]  # the first one says that the telemetry has logging
    try:
        yield stage
    finally:
        root.handlers[:] = others
        provider.shutdown()
        stage.outbox.close()


Scene = Callable[[AlertStage], object]
"""Reports an alert on a stage, and its end if it can end."""
