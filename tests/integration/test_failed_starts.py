"""A start that fails shows no secret, by whatever door, also if the secret is in the wrong variable."""

import pytest

from tests.support.processes import Programs, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
SECRET = "kanarie42Secret7qz"
BOT = "7766554433:AAKanarie_Telegram-0aB1cD2eF3gH4iJ5kL6m"
UVICORN = ("-m", "uvicorn", "service.main:app", "--port", str(free_port()))
FACTORY = ("-m", "uvicorn", "--factory", "service.main:create_app", "--port", str(free_port()))
SERVE = ("-m", "service", "serve")
LIBRARY = ("-c", "import telemetry; telemetry.start()")
CRASH = (
    "-c",
    f"import telemetry.setup\ntelemetry.setup.build = lambda *_: open('/{SECRET}/a')\nimport service.main; service.main.app",
)
NOWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
EXCHANGED = [
    (UVICORN, {"DATABASE_URL": f"postgresql://shop:{SECRET}"}),
    (UVICORN, {"PORT": SECRET, "LOG_LEVEL": BOT, "MANAGER_CHAT_ID": SECRET, "DATABASE_URL": BOT}),
    (UVICORN, {"OTEL_TRACES_EXPORTER": SECRET}),
    (FACTORY, {"PORT": SECRET, "DATABASE_URL": f"postgresql://shop:{SECRET}"}),
    (SERVE, {"PORT": SECRET, "DATABASE_URL": f"host=db user=shop password={SECRET}"}),
    (SERVE, {"HOST": SECRET}),
    (SERVE, {"OTEL_EXPORTER_OTLP_ENDPOINT": SECRET}),
    (LIBRARY, {"DATABASE_URL": f"postgres:shop:{SECRET}", "ALERT_THRESHOLD_DISK": SECRET}),
    (LIBRARY, {"OTEL_EXPORTER_OTLP_TIMEOUT": SECRET, **NOWHERE}),
    (LIBRARY, {"OTEL_EXPORTER_OTLP_PROTOCOL": SECRET, **NOWHERE}),
    (LIBRARY, {"OTEL_BSP_SCHEDULE_DELAY": SECRET, **NOWHERE}),
    (LIBRARY, {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization {SECRET}", **NOWHERE}),
    (CRASH, {"OPS_TOKEN": SECRET}),
]
COMMANDS = [
    (SECRET,),
    ("serve", "--workers", SECRET),
    ("serve", f"--prt={SECRET}"),
    ("serve", "--port", SECRET),
    ("silence", "http", "--for", SECRET),
    ("run-job", SECRET),
    ("copy-database", f"postgresql://shop:{SECRET}"),
    ("copy-database", f"postgresql+psycopg://shop:{SECRET}@127.0.0.1:9/shop"),
]


@pytest.mark.parametrize(
    ("door", "variables"), EXCHANGED, ids=[f"{' '.join(door[1:3])[:20]} {'+'.join(each)}" for door, each in EXCHANGED]
)
def test_a_secret_in_the_wrong_variable_is_not_shown(programs: Programs, door, variables):
    done = programs.run(*door, **variables)

    assert _shown(done.stdout + done.stderr) == []


@pytest.mark.parametrize(
    ("door", "variables", "said"),
    [
        (UVICORN, {"LOG_LEVEL": "high"}, "LOG_LEVEL is 'HIGH'"),
        (UVICORN, {"OTEL_TRACES_EXPORTER": "high"}, "OTEL_TRACES_EXPORTER is"),
        (FACTORY, {"OTEL_TRACES_EXPORTER": "high"}, "OTEL_TRACES_EXPORTER is"),
        (FACTORY, {"SCHEDULER": "perhaps"}, "SCHEDULER is"),
    ],
    ids=["application log level", "application exporter", "factory exporter", "factory scheduler"],
)
def test_workers_that_cannot_start_say_why_once_and_are_not_started_again(programs: Programs, door, variables, said):
    done = programs.run(*door, "--workers", "2", **variables)

    assert (done.stdout + done.stderr).count(said) == 1
    assert "Stopping parent process" in done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=[" ".join(each[:2])[:20] for each in COMMANDS])
def test_a_secret_on_the_command_line_is_not_repeated(programs: Programs, arguments):
    done = programs.run("-m", "service", *arguments, OPS_TOKEN=SECRET)

    assert done.returncode != 0
    assert _shown(done.stdout + done.stderr) == []


def _shown(said: str) -> list[str]:
    return [line for line in said.splitlines() if any(part in line for part in ("anarie", "Secret7", "Telegram-0a"))]
