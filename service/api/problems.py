"""Exception handlers: render every error as problem+json (RFC 9457)."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import responses
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.utils import is_body_allowed_for_status_code
from opentelemetry import trace
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError  # noqa: A004
from starlette.exceptions import HTTPException

from service.api.schemas.invalid_values import sentences
from service.api.schemas.problem_schemas import PROBLEM_JSON, ProblemOut, title_of
from service.errors import RETRY_AFTER, Problem
from service.integrations.http.errors import CallError, NotConfigured, RateLimited
from telemetry import semconv
from telemetry.environment.runbook import RunbookSection
from telemetry.error_text import safe_text
from telemetry.logs import mark_reported
from telemetry.redaction import MAX_FOREIGN_TEXT, beginning, redact_foreign_text

_log = logging.getLogger(__name__)


def install_exception_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _rejected)
    app.add_exception_handler(SQLAlchemyError, _database_unavailable)
    app.add_exception_handler(CallError, _external_call_failed)
    app.add_exception_handler(NotConfigured, _not_configured)
    app.add_exception_handler(Exception, _crashed)


def render(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = ProblemOut(
        title=title_of(status),
        status=status,
        detail=redact_foreign_text(detail),
        instance=redact_foreign_text(request.url.path),
        trace_id=_trace_id(),
    )
    return JSONResponse(body.model_dump(), status, headers, PROBLEM_JSON)


def _trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


async def _problem(request: Request, error: Exception) -> JSONResponse:
    problem = error if isinstance(error, Problem) else Problem()
    return render(request, problem.status, str(problem), problem.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    wrong = error.errors() if isinstance(error, RequestValidationError) else []
    return render(request, HTTPStatus.UNPROCESSABLE_ENTITY, sentences(request, wrong))


async def _rejected(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return await _crashed(request, error)
    if not is_body_allowed_for_status_code(error.status_code):
        return Response(status_code=error.status_code, headers=error.headers)
    phrase = responses.get(error.status_code)
    detail = _DETAILS.get(error.status_code, "{detail}") if error.detail == phrase else "{detail}"
    sentence = detail.format(method=request.method, path=request.url.path, detail=error.detail)
    return render(request, error.status_code, sentence, error.headers)


_DETAILS: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "There is nothing at {path}; /docs lists what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "{path} does not take {method}; /docs lists what it takes.",
}


async def _database_unavailable(request: Request, error: Exception) -> JSONResponse:
    """503, and no error in the log for each request: the health checks report that the database is unavailable."""
    reason = safe_text(error)
    if not isinstance(error, _UNAVAILABLE_ERRORS) and "migrations" not in reason:
        raise error
    detail = f"The database cannot be used now: {reason}."
    return render(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, RETRY_AFTER)


async def _external_call_failed(request: Request, error: Exception) -> JSONResponse:
    """502, or 503 if the call is rate-limited: an external service did not do its part."""
    if isinstance(error, RateLimited):
        seconds = max(1, round((error.until - datetime.now(UTC)).total_seconds()))
        return render(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"retry-after": str(seconds)})
    return render(request, HTTPStatus.BAD_GATEWAY, str(error))


async def _not_configured(request: Request, error: Exception) -> JSONResponse:
    return render(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))


_UNAVAILABLE_ERRORS: Final = (OperationalError, InterfaceError, TimeoutError)


async def _crashed(request: Request, error: Exception) -> JSONResponse:
    """500. Logs the error here, where the trace is known, and marks it, so that uvicorn's record of it is dropped.

    uvicorn closes the connection afterwards. The header tells the client, whose next request would be reset.
    """
    extra = {
        semconv.COMPONENT: "http",
        semconv.ALERT_SECTION: str(RunbookSection.REQUEST_CRASHED),
        semconv.HTTP_ROUTE: getattr(request.scope.get("route"), "path", semconv.UNMATCHED),
    }
    _log.error(
        "%s %s crashed", request.method, beginning(request.url.path, MAX_FOREIGN_TEXT), exc_info=error, extra=extra
    )
    mark_reported(error)
    return render(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal server error; search the logs for this trace id.",
        {"connection": "close"},
    )
