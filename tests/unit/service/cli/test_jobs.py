import pytest

from service.cli.parser import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command in this process. Returns its exit code and the lines that it said on stderr."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["service", *arguments])
        code = main()
        return code, capsys.readouterr().err.splitlines()

    return run


def test_a_job_without_a_database_is_one_line(command, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://anna:secret@127.0.0.1:9/shop")

    code, lines = command("run-job", "check_resources")

    assert code == 1
    assert lines[-1] == "check_resources failed: the database cannot be used: Connection refused."
    assert not [line for line in lines if "sqlalche.me" in line or "anna" in line]
