"""The rules and configurations by the programs that they are written for: promtool and amtool."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import deploy
from deploy.generate.dashboards import jobs
from service.sandbox import credentials
from tests.support.deployed_names import chosen

HERE = Path(deploy.__file__).parent
PROMETHEUS = HERE / "prometheus"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def run(*command, **environment):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=250, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_every_rule_and_its_configuration(promtool, tmp_path):
    rules = sorted(map(str, (PROMETHEUS / "rules").glob("*.yml")))
    config = tmp_path / "prometheus.yml"
    token = tmp_path / "token"
    token.write_text("x")
    text = (PROMETHEUS / "prometheus.yml").read_text().replace("/run/secrets/ops_token", str(token))
    config.write_text(text.replace("rules/*.yml", f"{PROMETHEUS}/rules/*.yml"))

    said = run(promtool, "check", "rules", *rules)

    assert said.count("SUCCESS") == len(rules)
    run(promtool, "check", "config", str(config))


def test_each_alert_fires_when_it_should_and_ends(promtool):
    run(promtool, "test", "rules", *sorted(map(str, (PROMETHEUS / "tests").glob("*.yml"))))


def test_the_timeline_shows_failures_also_of_a_job_that_has_never_succeeded(promtool, tmp_path):
    [query] = [query for panel in jobs.DASHBOARD.panels if panel.kind == "state-timeline" for query in panel.queries]
    counts = {("bad", "failed"): "0+1x20", ("good", "success"): "0+1x20", ("both", "failed"): "0+1x20"}
    series = [
        {
            "series": f'scheduler_jobs_total{{job="sovani-api",job_name="{job}",status="{status}"}}',
            "values": counts.get((job, status), "0x20" if job != "both" else "0+1x20"),
        }
        for job in ("bad", "good", "both", "idle")
        for status in ("success", "failed")
    ]
    shown = {"bad": 2, "good": 1, "both": 2, "idle": 0}
    expected = {
        "expr": chosen(query.asked, "1m"),
        "eval_time": "4m",
        "exp_samples": [{"labels": f'{{job_name="{job}"}}', "value": value} for job, value in shown.items()],
    }
    file = tmp_path / "timeline.yml"
    file.write_text(
        yaml.safe_dump({"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [expected]}]})
    )

    run(promtool, "test", "rules", str(file))


def test_grafana_has_every_field_of_the_dashboards_and_knows_no_other_type(dashboard_checker):
    run(dashboard_checker, *map(str, (HERE / "grafana" / "dashboards").glob("*.json")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 1},
        {"tilte": "x"},
        {"panels": [{"type": "stat", "optons": {}}]},
        {"templating": {"list": [{"nmae": "job"}]}},
    ],
    ids=str,
)
def test_a_field_that_grafana_does_not_know_is_named(dashboard_checker, tmp_path, wrong):
    file = tmp_path / "wrong.json"
    whole = json.loads((HERE / "grafana" / "dashboards" / "service.json").read_text())
    file.write_text(json.dumps(whole | wrong))

    done = subprocess.run([dashboard_checker, str(file)], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert str(file) in done.stderr


@pytest.mark.parametrize("webhook", ["", "http://127.0.0.1:9/a|b&c"])
def test_alertmanager_takes_what_its_start_makes(tmp_path, alertmanager, webhook):
    """`amtool` in the place of Alertmanager: it checks what it is started with."""
    stand_in = tmp_path / "bin" / "alertmanager"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nexec amtool check-config "${1#--config.file=}"\n')
    stand_in.chmod(0o755)
    made = tmp_path / "made.yml"

    said = run(
        "sh",
        str(HERE / "alertmanager" / "start.sh"),
        PATH=f"{stand_in.parent}:{os.environ['PATH']}",
        TELEGRAM_TOKEN=credentials.TELEGRAM_TOKEN,
        MANAGER_CHAT_ID=credentials.TELEGRAM_CHAT_ID,
        ALERTMANAGER_WEBHOOK_URL=webhook,
        ALERTMANAGER_CONFIG=str(made),
    )

    assert "SUCCESS" in said
    assert f"{2 if webhook else 1} receivers" in said
    text = made.read_text().partition("global:")[2]
    assert (f"url: {webhook}" if webhook else "receiver: telegram") in text
    assert ("webhook" in text) is bool(webhook)
    assert "${" not in text


def test_the_generator_says_what_is_not_up_to_date(tmp_path):
    """By the command itself."""
    assert run(sys.executable, "-m", "deploy.generate", "--check", PYTHONPATH=str(HERE.parent)) == ""
