"""Plain Starlette, instrumented by its published package: `uvicorn examples.starlette_app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

import telemetry
from telemetry.jobs import monitor_job


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The end of the lifespan flushes what was measured: a server that is stopped by a signal runs no `atexit`."""
    telemetry.create_tables(running.engine)
    yield
    await anyio.to_thread.run_sync(telemetry.shutdown)


async def lend(request: Request) -> JSONResponse:
    async with monitor_job("lend_book") as run:
        run.metadata["book"] = request.path_params["book_id"]
    return JSONResponse({"lent": request.path_params["book_id"]})


running = telemetry.start()
app = Starlette(
    routes=[
        Route("/books/{book_id}", lend),
        Mount("/metrics", telemetry.asgi_metrics_app),
    ],
    lifespan=_lifespan,
)
StarletteInstrumentor.instrument_app(app)
