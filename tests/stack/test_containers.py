"""docker-compose.yml as it is, in real containers: what it starts, what its commands say, and where alerts and telemetry arrive."""

import re

import httpx
import pytest

from service.cli.command_list import COMMANDS
from tests.stack.conftest import LONG, Stack, is_in_repository
from tests.support.processes import ROOT, eventually
from tools.stack import engine, images
from tools.stack.inside import MAX_SIZE
from tools.stack.project import GRAFANA

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
LOUD = re.compile(r"level=(?:WARN|ERROR)")


def test_all_containers_are_healthy(stack: Stack):
    states = stack.project.states()

    assert {name for name, state in states.items() if state == "done"} == {"collector-volume"}
    assert {name for name, state in states.items() if state == "running"} == {"otel-collector"}
    assert {state for name, state in states.items() if name not in {"collector-volume", "otel-collector"}} == {
        "healthy"
    }
    assert httpx.get(f"{GRAFANA}/api/health", timeout=10, trust_env=False).status_code == 200


def test_the_image_is_small_and_has_no_root_and_no_pip(stack: Stack):
    assert images.size(stack.engine, stack.image) <= MAX_SIZE
    code, said = stack.once("--entrypoint=sh", stack.image, "-c", "id -u; command -v pip gcc; pg_dump --version")
    assert (code, re.sub(r"17\.\S+.*", "17", said).split("\n")[:2]) == (0, ["10001", "pg_dump (PostgreSQL) 17"])


def test_doctor_finds_nothing_wrong(stack: Stack):
    def well() -> str:
        code, said = stack.command("doctor")
        assert (code, "FAIL" in said, "Traceback" in said) == (0, False, False), said
        return said

    assert eventually(well, LONG)


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_explains_itself_in_the_image(stack: Stack, name: str):
    code, said = stack.once("--read-only", "--cap-drop=ALL", stack.image, name, "--help")

    assert (code, "Traceback" in said) == (0, False), said
    assert said.startswith(f"usage: python -m service {name}")


@pytest.mark.parametrize(
    "command",
    [("doctor",), ("jobs",), ("restore",), ("silence", "--list"), ("run-job", "nonsense"), ("--version",), ()],
    ids=" ".join,
)
def test_no_command_ends_with_a_traceback_in_the_image(stack: Stack, command: tuple[str, ...]):
    """With a root that is read-only, no capabilities, and neither a network nor a variable."""
    _, said = stack.once(
        "--read-only", "--cap-drop=ALL", "--network=none", "--entrypoint=sovani", stack.image, *command
    )

    assert said
    assert "Traceback" not in said


@pytest.mark.parametrize("service", ["sovani", "scheduler"])
@pytest.mark.parametrize(
    "command", [("jobs",), ("silence", "--list"), ("restore",), ("run-job", "--quiet", "backup_database")], ids=" ".join
)
def test_no_command_ends_with_a_traceback_beside_the_service(stack: Stack, service: str, command: tuple[str, ...]):
    code, said = stack.command(*command, service=service)

    assert "Traceback" not in said
    assert code in ({0, 1} if command == ("restore",) else {0, 75}), said


def test_a_test_alert_arrives_at_telegram(stack: Stack):
    code, said = stack.command("test-alert")

    assert (code, "Delivered: telegram accepted it as message" in said) == (0, True), said
    assert "Test alert" in stack.phone()


def test_an_alert_of_alertmanager_arrives_at_telegram(stack: Stack):
    at = "--alertmanager.url=http://127.0.0.1:9093"
    labels = ("alertname=ContainersTested", "severity=critical", "--annotation=summary=seen in containers")
    stack.project.compose("exec", "--no-TTY", "alertmanager", "amtool", at, "alert", "add", *labels)

    eventually(lambda: "ContainersTested firing" in stack.phone(), LONG)


def test_prometheus_evaluates_every_rule_reaches_every_target_and_complains_about_nothing(stack: Stack):
    def evaluated() -> int:
        rules = [rule for group in stack.prometheus("rules")["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}, [each for each in rules if each["health"] != "ok"]
        return len(rules)

    def reached() -> dict[str, str]:
        targets = stack.prometheus("targets")["activeTargets"]
        assert {target["health"] for target in targets} == {"up"}, [each["lastError"] for each in targets]
        return {target["labels"]["instance"]: target["health"] for target in targets}

    assert eventually(evaluated, LONG) > 50
    assert eventually(reached, LONG).keys() >= {"sovani:8080", "scheduler:8080", "otel-collector:8888"}
    assert [line for line in stack.logs("prometheus") if LOUD.search(line)] == []


def test_traces_of_jobs_logs_and_metrics_arrive_in_the_stores(stack: Stack):
    """The Collector keeps the trace of each job run."""

    def trace() -> str:
        runs = stack.get("/jobs/status?status=success&limit=10")["runs"]
        return str(runs[0]["trace_id"])

    traced = eventually(trace, LONG)

    eventually(lambda: stack.stored("tempo", 3200, bytes.fromhex(traced)), LONG)
    eventually(lambda: stack.stored("loki", 3100, b"sovani.part"), LONG)
    by_otlp = "query?query=count(%7Bjob=~%22sovani/.%2B%22%7D)"
    eventually(lambda: stack.prometheus(by_otlp)["result"], LONG)


def test_nothing_of_the_engine_is_in_the_repository():
    assert not is_in_repository(engine.DATA)
    assert not (ROOT / ".docker").exists()
