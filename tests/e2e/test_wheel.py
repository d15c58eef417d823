"""The wheel: what is in it, and that a directory with nothing but it has the whole service."""

import email
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.support.how_to_pages import changed_files, commands, printed
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import ROOT, Programs, eventually, free_port
from tests.support.sqlite import rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("wheel")]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def pip(*arguments: str) -> None:
    """Run pip, which needs a package index: without one the test is skipped, but never in CI."""
    done = subprocess.run([*PIP, *arguments], capture_output=True, text=True, check=False)
    if done.returncode and "CI" not in os.environ and "No matching distribution" in done.stdout + done.stderr:
        pytest.skip("no package index is to be had")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(ROOT))
    [built] = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs_of_the_wheel(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> tuple[Path, Programs]:
    """A new environment, with the wheel and what the wheel says that it needs."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    pip("--python", str(environment / "bin/python"), "install", "--quiet", "--no-compile", str(wheel))
    programs = Programs(tmp_path_factory.mktemp("elsewhere"))
    yield environment / "bin", programs
    programs.kill()


def environment(home: Path, **given: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": "", **given}


def run(binaries: Path, home: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binaries / command[0]), *command[1:]],
        cwd=home,
        env=environment(home, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def tracked(*paths: str) -> set[str]:
    """The files of the repository under these paths; what is not in it is in no wheel."""
    listed = subprocess.run(["git", "ls-files", "--", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


def test_the_wheel_has_every_file_of_the_packages_and_the_migrations_and_no_other(wheel: Path):
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    alembic = tracked("alembic.ini", "migrations")

    assert files == tracked("service", "telemetry") | {f"service/_alembic/{name}" for name in alembic}
    assert {"service/py.typed", "telemetry/py.typed"} <= files


def test_the_wheel_says_what_it_is_and_what_it_needs(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    [info] = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (metadata["Name"], metadata["Author"]) == ("sovani", "The sovani developers")
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in archive.read(f"{info}/licenses/LICENSE").decode()
    assert "Typing :: Typed" in metadata.get_all("Classifier", ())
    assert metadata.get_all("Project-URL") is None
    assert metadata["Home-page"] is None
    assert set(metadata.get_all("Provides-Extra", ())) == set(project["optional-dependencies"])
    assert not [each for each in metadata.get_all("Requires-Dist", ()) if "psycopg" in each and "extra ==" not in each]
    assert b"sovani = service.__main__:main" in archive.read(f"{info}/entry_points.txt")


def test_the_commands_are_those_of_the_module(programs_of_the_wheel):
    binaries, programs = programs_of_the_wheel

    script, module = (
        run(binaries, programs.home, *command) for command in (("sovani", "--help"), ("python", "-m", "service", "-h"))
    )

    assert (script.returncode, module.returncode) == (0, 0)
    assert script.stdout.startswith("usage: sovani ")
    assert re.findall(r"^    ([a-z-]+) ", script.stdout, re.MULTILINE) == re.findall(
        r"^    ([a-z-]+) ", module.stdout, re.MULTILINE
    )


def test_a_directory_with_nothing_but_the_wheel_serves_migrates_and_is_sound(programs_of_the_wheel):
    binaries, programs = programs_of_the_wheel
    variables = {"SANDBOX": "true", "SANDBOX_PORT": str(free_port())}
    before = run(binaries, programs.home, "sovani", "doctor", **variables)

    port = free_port()
    serving = programs.start_command(
        str(binaries / "sovani"), "serve", "--workers", "2", "--port", str(port), port=port, PYTHONPATH="", **variables
    )
    serving.wait_for("/readyz", within=60)
    doctor = run(binaries, programs.home, "sovani", "doctor", PORT=str(port), **variables)
    page = serving.get("/metrics").text
    serving.kill()

    assert before.returncode == 1
    [command] = re.findall(r"run `alembic (-c \S+ upgrade head)`", before.stdout)
    assert doctor.returncode == 0, doctor.stdout
    assert "\nFAIL" not in doctor.stdout
    assert "app_info" in page
    assert run(binaries, programs.home, "alembic", *command.split()).returncode == 0


def test_postgresql_without_its_driver_is_one_line_that_says_what_to_install(programs_of_the_wheel):
    binaries, programs = programs_of_the_wheel

    done = run(binaries, programs.home, "sovani", "jobs", DATABASE_URL="postgresql://u@127.0.0.1/none")

    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "sovani[postgres]" in line] == done.stderr.splitlines()
    assert len(done.stderr.splitlines()) == 1


PAGE = (ROOT / "docs/how-to/your-own-service.md").read_text()
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [text.strip() for kind, text in BLOCKS if kind == "sh" and not text.startswith("pip install")]


@pytest.fixture
def library(programs_of_the_wheel, tmp_path: Path):
    """The files of the page, in a new directory, after its first step."""
    binaries, _ = programs_of_the_wheel
    for kind, text in BLOCKS:
        if kind == "python":
            (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    run_command(binaries, tmp_path, COMMANDS[0])
    programs = Programs(tmp_path)
    yield binaries, programs
    programs.kill()


def run_command(binaries: Path, home: Path, command: str, **variables: str) -> None:
    done = run(binaries, home, *shlex.split(command), **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_has_a_first_step_and_three_ways():
    assert len(COMMANDS) == 4
    assert COMMANDS[1].startswith("uvicorn ")
    assert COMMANDS[2].startswith("opentelemetry-instrument uvicorn ")


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_each_way_of_the_page_gives_metrics_spans_a_recorded_job_and_an_alert(library, command: str):
    binaries, programs = library
    with otlp_receiver() as arrived:
        variables = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": str(programs.home),
            "OTEL_EXPORTER_OTLP_ENDPOINT": arrived.url,
            "OTEL_TRACES_SAMPLER": "always_on",
        }
        if "uvicorn" not in command:
            run_command(binaries, programs.home, command, **variables)
        else:
            port = free_port()
            words = shlex.split(command.replace("8090", str(port)))
            served = programs.start_command(str(binaries / words[0]), *words[1:], port=port, **variables)
            eventually(served.listens, 90)
            assert httpx.post(f"{served.url}/inventory", trust_env=False).json() == {"books": 2}
            served.tell(signal.SIGTERM)
            served.exit_code()

    assert rows(programs.home / "var/app.db", "SELECT job_name, status FROM job_runs") == [
        ("take_inventory", "success")
    ]
    assert "job take_inventory" in arrived.spans()
    assert {"job.runs", "http.server.request.duration" if "uvicorn" in command else "books.counted"} <= {
        *arrived.metrics()
    }
    assert rows(programs.home / "var/alerts/outbox.db", "SELECT words FROM incidents") == [("A book is missing",)]
    assert "A book is missing" in arrived.logs()


TUTORIAL = ROOT / "docs/tutorials/instrument-your-service.md"


def shell(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


def test_the_tutorial_leads_to_what_it_prints(programs_of_the_wheel, tmp_path: Path):
    """Its own file and commands; only the port, and where Python and the wheel are, are the test's."""
    binaries, _ = programs_of_the_wheel
    (tmp_path / "app.py").write_text(changed_files([TUTORIAL])["app.py"])
    port = str(free_port())
    steps = [command.replace("8090", port) for command in commands(TUTORIAL)]
    [tables] = [step for step in steps if " -c " in step]
    serve = next(step for step in steps if "uvicorn" in step)
    curls = [step for step in steps if step.startswith("curl ")]
    variables = dict(step.removeprefix("export ").split("=", 1) for step in steps if step.startswith("export DATABASE"))
    run_command(binaries, tmp_path, tables.removeprefix(".venv/bin/"), **variables)
    programs = Programs(tmp_path)
    words = shlex.split(serve.removeprefix(".venv/bin/"))
    serving = programs.start_command(
        str(binaries / words[0]), *words[1:], port=int(port), **{**variables, "PYTHONPATH": str(tmp_path)}
    )
    serving.wait_for("/healthz", within=90)

    requests, reads = curls[:2], curls[2:]
    sent = "".join(map(shell, requests))

    def reads_all() -> bool:
        found = sent + "".join(map(shell, reads))
        missing = [line for line in printed(TUTORIAL)[0].splitlines() if line not in found]
        assert not missing, (missing, found)
        return True

    try:
        eventually(reads_all, 90)
    finally:
        programs.kill()
