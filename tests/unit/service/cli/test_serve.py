import argparse

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
