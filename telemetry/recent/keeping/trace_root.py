"""What the span that decides on a trace says of it: its kind, name and status."""

from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from telemetry import semconv

_SERVER_ERROR = 500


class TraceRoot(NamedTuple):
    """`kind` is request, job or other; `status` a status code, the status of a run, or error and ok."""

    kind: str
    name: str
    method: str
    status: str
    failed: bool


def decides(span: ReadableSpan) -> bool:
    """Whether a span is the outermost of its trace in this process, or that of a job run."""
    parent = span.parent
    return parent is None or parent.is_remote or semconv.JOB_NAME in (span.attributes or ())


def root_of(span: ReadableSpan) -> TraceRoot:
    attributes = span.attributes or {}
    is_error = span.status.status_code is StatusCode.ERROR
    if semconv.JOB_NAME in attributes:
        status = str(attributes.get(semconv.JOB_STATUS) or ("failed" if is_error else "success"))
        return TraceRoot("job", str(attributes[semconv.JOB_NAME]), "", status, is_error or status == "failed")
    if span.kind is SpanKind.SERVER and semconv.HTTP_METHOD in attributes:
        code = attributes.get(semconv.HTTP_STATUS_CODE)
        failed = is_error or (isinstance(code, int) and code >= _SERVER_ERROR)
        name, method = attributes.get(semconv.HTTP_ROUTE) or semconv.UNMATCHED, attributes[semconv.HTTP_METHOD]
        return TraceRoot("request", str(name), str(method), str(code or "error"), failed)
    return TraceRoot("other", span.name, "", "error" if is_error else "ok", is_error)


def seconds_of(span: ReadableSpan) -> float:
    return max(0, (span.end_time or 0) - (span.start_time or 0)) / 1e9
