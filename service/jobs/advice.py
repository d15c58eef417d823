"""The job that drafts answers."""

from collections.abc import Mapping
from typing import Any

from service.advice.drafting import DraftingRun
from service.database.clock import utcnow
from service.jobs.context import JobContext


def generate_advice(context: JobContext) -> Mapping[str, Any]:
    return DraftingRun(context.engine, context.clients.drafter, utcnow, context.is_running).run(context.progress)
