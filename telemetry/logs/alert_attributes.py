"""Adds to a log record the attributes that make an alert of it."""

import logging

from telemetry import semconv
from telemetry.logs.database_errors import is_database_unavailable
from telemetry.logs.reported_errors import mark_reported_at
from telemetry.logs.source_location import source_location, statement_location


def with_alert_attributes(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of the record with its location and what is known of its cause. Other handlers do not see the attributes."""
    copy = logging.makeLogRecord(vars(record))
    attributes, error = vars(copy), record.exc_info[1] if record.exc_info else None
    location = "" if error is None else source_location(error)
    attributes[semconv.ALERT_LOCATION] = location or statement_location(record)
    if error is not None:
        if not mark_reported_at(error, (record.pathname, record.lineno)):
            attributes[semconv.ALERT_REPORTED_ELSEWHERE] = True
        if is_database_unavailable(error):
            attributes[semconv.ALERT_INHIBITED_BY] = semconv.DATABASE_COMPONENT
    return copy
