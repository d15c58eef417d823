import argparse
import os
import socket
from types import SimpleNamespace

import pytest
import uvicorn
from sqlalchemy import text

from service.cli import serve
from service.database import migrations
from service.settings import Settings
from tests.support.processes import Programs


def test_a_parent_waits_longer_for_the_answer_of_a_worker_than_a_start_takes_on_a_busy_machine(monkeypatch):
    given = {}
    monkeypatch.setattr(uvicorn, "run", lambda _app, **options: given.update(options))
    monkeypatch.setattr(serve, "setup_logging", lambda _settings: None)
    monkeypatch.setenv("PORT", "0")

    assert serve.serve(argparse.Namespace(host=None, port=None, no_scheduler=False, workers=2)) == 0

    assert (given["workers"], given["timeout_worker_healthcheck"] >= 15) == (2, True)


def test_a_worker_imports_nothing_of_the_command_line_before_it_answers_its_parent(tmp_path):
    """A spawned process imports the main module of its parent first."""
    source = "import sys, service.__main__; print([name for name in sys.modules if name in {'service.cli', 'uvicorn'}])"

    assert Programs(tmp_path).run("-c", source).stdout == "[]\n"


@pytest.fixture
def options(monkeypatch) -> argparse.Namespace:
    """Those of a start that never reaches the server."""
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setattr(uvicorn, "run", lambda *_, **__: pytest.fail("nothing may be started"))
    return argparse.Namespace(host=None, port=None, no_scheduler=False, workers=1)


@pytest.mark.parametrize("variable", ["DATA_DIR", "LOG_DIR"])
def test_a_directory_of_another_user_is_one_line_and_nothing_is_started(
    monkeypatch, tmp_path, capsys, options, variable
):
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)  # root may write everywhere

    assert serve.serve(options) == 1

    written = capsys.readouterr()
    assert f"{written.out}{written.err}".count("\n") == 1
    assert f"{variable}={tmp_path} is not writable for user {os.geteuid()}" in f"{written.out}{written.err}"


def test_a_log_directory_on_a_read_only_filesystem_does_not_stop_the_start(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_RDONLY))

    assert serve._unusable(Settings(log_dir=tmp_path)) is None


def test_a_database_of_a_newer_version_is_one_line_and_nothing_is_started(monkeypatch, engine, capsys, options):
    migrations.migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00dfeed'"))
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))

    assert serve.serve(options) == 1

    written = capsys.readouterr()
    assert f"{written.out}{written.err}" == (
        "DATABASE_URL: the database is newer than this version of the service: update the service, or restore a backup.\n"
    )


@pytest.mark.parametrize("url", ["sqlite:///{}/new.db", "postgresql+psycopg://nobody@127.0.0.1:9/none"])
def test_a_database_that_is_new_or_unavailable_does_not_stop_the_start(tmp_path, url):
    assert serve._unusable(Settings(database_url=url.format(tmp_path))) is None


def test_a_database_that_does_not_respond_does_not_stop_the_start(monkeypatch):
    monkeypatch.setattr(serve, "START_CHECK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://nobody@127.0.0.1:{silent.getsockname()[1]}/none"

        assert serve._unusable(Settings(database_url=url)) is None
