import logging
import runpy
import sys

import pytest
import uvicorn
from uvicorn.config import LOGGING_CONFIG

from telemetry.logs import library_loggers
from telemetry.logs.reported_errors import ReportedErrorFilter
from telemetry.logs.text_formatter import TextFormatter


async def app(scope, receive, send):
    """An application that is never called: `uvicorn.Config` configures the logging when it is made."""


def server(**options) -> uvicorn.Config:
    return uvicorn.Config(app, log_config=LOGGING_CONFIG, **options)


@pytest.mark.parametrize("first", ["the server", "we"])
def test_a_server_logs_the_same_way_whichever_configured_logging_first(set_up, capsys, first):
    if first == "the server":
        server()
        set_up()
    else:
        set_up()
        server()

    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:4", "GET", "/orders", "1.1", 200)

    out, err = capsys.readouterr()
    started, access = err.splitlines()
    assert out == ""
    assert started.endswith(" - uvicorn.error - INFO - Started server process")
    assert access.endswith(' - uvicorn.access - INFO - 127.0.0.1:4 - "GET /orders HTTP/1.1" 200')


@pytest.mark.parametrize("first", ["the server", "we"])
def test_an_access_log_that_was_switched_off_stays_off(set_up, first):
    if first == "the server":
        server(access_log=False)
        set_up()
    else:
        set_up()
        server(access_log=False)

    assert not logging.getLogger("uvicorn.access").hasHandlers()  # by which the server decides


def test_a_server_is_no_louder_than_the_log_level(set_up, capsys):
    server()
    set_up(log_level="WARNING")

    logging.getLogger("uvicorn.error").info("Started server process")

    assert capsys.readouterr().err == ""


def test_a_library_of_the_service_logs_the_same_way_and_once(set_up, capsys):
    alembic = logging.getLogger("alembic")
    alembic.addHandler(logging.StreamHandler())
    alembic.propagate = False
    for name in ("alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.NOTSET)

    set_up()
    library_loggers.reroute_libraries(
        debug=False, rerouted=("alembic", "alembic.runtime.migration"), verbose=("alembic.runtime.plugins",)
    )
    logging.getLogger("alembic.runtime.plugins").info("setup plugin alembic.autogenerate.schemas")
    logging.getLogger("alembic.runtime.migration").info("Running upgrade -> 2d3b8a10c369")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(" - alembic.runtime.migration - INFO - Running upgrade -> 2d3b8a10c369")


def test_the_filter_against_a_second_report_is_there_once(set_up):
    set_up()
    set_up()

    filters = logging.getLogger("uvicorn.error").filters
    assert sum(isinstance(one, ReportedErrorFilter) for one in filters) == 1


def test_without_uvicorn_the_others_are_brought_in_all_the_same(set_up, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn.config", None)
    alembic = logging.getLogger("alembic")
    alembic.propagate = False
    alembic.addHandler(logging.NullHandler())

    runpy.run_path(library_loggers.__file__)["reroute_libraries"](debug=False, rerouted=["alembic"])

    assert alembic.propagate
    assert alembic.handlers == []


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_a_bots_token_is_in_no_line_of_the_client_that_calls_telegram(name, caplog):
    library_loggers.reroute_libraries(debug=True)
    caplog.set_level(logging.DEBUG)

    url = "https://api.telegram.org/bot123456:ABC-DEF_x/sendMessage"
    logging.getLogger(name).info('HTTP Request: %s %s "%s"', "POST", url, "HTTP/1.1 200 OK")
    logging.getLogger(name).info("without %s", "a token")

    first, second = [TextFormatter().format(record).partition(" - INFO - ")[2] for record in caplog.records]
    assert first == 'HTTP Request: POST https://api.telegram.org/bot[hidden bot token]/sendMessage "HTTP/1.1 200 OK"'
    assert second == "without a token"
