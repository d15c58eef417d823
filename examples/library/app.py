"""The library: `python -m uvicorn examples.library.app:app`. Its variables are the telemetry's (docs/reference/configuration.md)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text

import telemetry
from telemetry import console
from telemetry.health import HealthChecks
from telemetry.health.checks import timed
from telemetry.jobs import monitor_job
from telemetry.metrics import LabelMapping, MetricMapping

BOOKS: Final = {1: "War and Peace", 2: "The Master and Margarita"}
TITLE: Final = "book.title"

# A metric of its own: what its instrument is called on /metrics, and which of its attributes is which label.
LENT: Final = MetricMapping(
    "books_lent_total", "counter", "books.lent", "Books that were lent.", (LabelMapping("title", TITLE),)
)


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The table of runs: made at the start here, by a migration in a service that has those."""
    telemetry.create_tables(running.engine)
    yield


app = FastAPI(title="Library", lifespan=_lifespan)
running = telemetry.start(
    app=app, options=telemetry.TelemetryOptions(metric_mappings=(LENT,), untraced_paths=("/healthz",))
)
_lent = running.meter(__name__).create_counter("books.lent", "{book}", "Books that were lent.")


def _ping() -> None:
    with running.engine.connect() as connection:
        connection.execute(text("SELECT 1"))


_health = HealthChecks({"database": timed(_ping)})


@app.post("/books/{book_id}/lend")
def lend(book_id: int) -> dict[str, str]:
    if book_id not in BOOKS:
        raise HTTPException(404, f"There is no book {book_id}.")
    _lent.add(1, {TITLE: BOOKS[book_id]})
    return {"lent": BOOKS[book_id]}


@app.post("/inventory")
def take_inventory() -> dict[str, int]:
    """A job: its run is safe before the first line of its body, and has its outcome before the caller gets the result."""
    with monitor_job("take_inventory", metadata={"shelf": "all"}) as run:
        run.metadata["books"] = len(BOOKS)
    return {"books": len(BOOKS)}


@app.get("/healthz")
async def show_health() -> JSONResponse:
    """Within its deadline, whatever hangs."""
    report = await _health.run()
    return JSONResponse(report.body(datetime.now(UTC)), 200 if report.is_healthy else 503)


@app.get("/metrics")
async def show_metrics(request: Request) -> Response:
    """All workers on one page."""
    body, headers = await running.metrics.page.respond_in_thread(request.headers.get("accept", ""))
    return Response(body, headers=headers)


def read_books(view: console.View) -> dict[str, Any]:
    """The console's page of books: `?title=peace` shows those with that in their titles."""
    wanted = view.text("title")
    return {
        "search": wanted,
        "books": [(number, title) for number, title in BOOKS.items() if wanted.lower() in title.lower()],
    }


def lend_by_hand(view: console.View) -> str:
    """The button of a book: does what the API does, and says what was done."""
    try:
        return f"Lent {lend(int(view.params['number']))['lent']}."
    except (HTTPException, ValueError):
        raise console.PageNotFound(f"There is no book {view.params['number']}.") from None


_books = console.ConsolePage(
    "/books",
    "Books",
    "books.html",
    read_books,
    Path(__file__).parent / "templates",
    actions=[console.Action("/books/{number}/lend", lend_by_hand, "/books")],
)
console.mount(app, options=console.ConsoleOptions(pages=[_books]))
