"""The self-test of `doctor` leaves nothing behind: no alert, row, count, span, log line or file."""

import signal
from pathlib import Path

import pytest

from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs, eventually
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e


def database(programs: Programs, template: Path) -> Path:
    file = programs.home / "shop.db"
    file.write_bytes(template.read_bytes())
    return file


def nothing_of_the_self_test(programs: Programs, file: Path) -> None:
    outbox = programs.home / "var/alerts/outbox.db"
    assert rows(outbox, "SELECT words FROM incidents WHERE component = 'selftest' OR words LIKE '%self-test%'") == []
    assert rows(file, "SELECT job_name FROM job_runs") == []
    kept = [path for path in (programs.home / "var").rglob("*") if path.is_file()]
    assert [path for path in kept if b"self" + b"test" in path.read_bytes()] == []


def test_of_the_self_test_nothing_is_kept_and_nothing_is_exported(programs: Programs, sqlite_template: Path):
    file = database(programs, sqlite_template)

    with otlp_receiver() as receiver:
        done = programs.run(
            *("-m", "service", "doctor"),
            DATABASE_URL=f"sqlite:///{file}",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_TRACES_SAMPLER="always_on",
            ENABLE_JSON_LOGGING="true",
        )

    assert done.returncode == 0, done.stdout + done.stderr
    nothing_of_the_self_test(programs, file)
    assert receiver.metrics()
    assert [name for name in receiver.spans() if "selftest" in name] == []
    assert [body for body in receiver.logs() if "self-test" in body] == []
    points = [str(metric) for metric in receiver.metrics().values()]
    assert [metric for metric in points if "selftest" in metric] == []


@pytest.mark.parametrize("file_of_the_test", ["selftest.db", "alerts/outbox.db"])
def test_nothing_is_kept_when_the_doctor_is_killed_during_its_self_test(
    programs: Programs, sqlite_template: Path, file_of_the_test: str
):
    file, temporary = database(programs, sqlite_template), programs.home / "tmp"
    temporary.mkdir()

    doctor = programs.start("-m", "service", "doctor", DATABASE_URL=f"sqlite:///{file}", TMPDIR=str(temporary))
    eventually(lambda: any(temporary.glob(f"telemetry-selftest-*/{file_of_the_test}")))
    doctor.process.send_signal(signal.SIGKILL)
    doctor.exit_code()

    eventually(lambda: not list(temporary.iterdir()))
    nothing_of_the_self_test(programs, file)
