"""Flask, instrumented by its published package: `python -m examples.flask_app`, or any WSGI server with `examples.flask_app:application`."""

import os
import signal
from threading import Thread
from wsgiref.simple_server import make_server

from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import telemetry
from telemetry.jobs import monitor_job

running = telemetry.start()
telemetry.create_tables(running.engine)
app = Flask(__name__)
FlaskInstrumentor().instrument_app(app)


@app.get("/books/<int:book_id>")
def lend(book_id: int) -> dict[str, int]:
    with monitor_job("lend_book") as run:
        run.metadata["book"] = book_id
    return {"lent": book_id}


application = DispatcherMiddleware(app, {"/metrics": telemetry.wsgi_metrics_app})

if __name__ == "__main__":
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "8090")), application)
    # An end in order, which flushes what was measured. The server swallows an exception that is raised in the midst of a request.
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
