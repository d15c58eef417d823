import argparse
import os

import uvicorn

from service.cli import serve
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


def test_a_data_directory_of_another_user_is_one_line_and_nothing_is_started(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)  # root may write everywhere
    monkeypatch.setattr(uvicorn, "run", lambda *_, **__: None)

    assert serve.serve(argparse.Namespace(host=None, port=None, no_scheduler=False, workers=1)) == 1

    written = capsys.readouterr()
    assert f"{written.out}{written.err}".count("\n") == 1
    assert f"DATA_DIR={tmp_path} is not writable for user {os.geteuid()}" in f"{written.out}{written.err}"
