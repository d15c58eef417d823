"""Django, instrumented by its published package: `python -m examples.django_app`, or any WSGI server with `examples.django_app:application`."""

import os
import signal
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from opentelemetry.instrumentation.django import DjangoInstrumentor

import telemetry
from telemetry.jobs import monitor_job


def lend(_request: HttpRequest, book_id: int) -> JsonResponse:
    with monitor_job("lend_book") as run:
        run.metadata["book"] = book_id
    return JsonResponse({"lent": book_id})


urlpatterns = [path("books/<int:book_id>", lend)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[], LOGGING_CONFIG=None)
running = telemetry.start()
telemetry.create_tables(running.engine)
DjangoInstrumentor().instrument()
django.setup()
_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django's application, with the page of the telemetry beside it."""
    if environ.get("PATH_INFO") == "/metrics":
        return telemetry.wsgi_metrics_app(environ, start_response)
    response: Iterable[bytes] = _django(environ, start_response)
    return response


if __name__ == "__main__":
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "8090")), application)
    # An end in order, which flushes what was measured. The server swallows an exception that is raised in the midst of a request.
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
