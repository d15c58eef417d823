"""The job that drafts answers."""

from collections.abc import Mapping
from typing import Any

from service.advice.drafting import Drafting
from service.database.clock import utcnow
from service.jobs.context import Context


def generate_advice(context: Context) -> Mapping[str, Any]:
    return Drafting(context.engine, context.outside.drafter, utcnow, context.goes_on).run(context.progress)
