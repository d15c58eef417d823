"""The rules: made anew from the objectives and the schedule, and of metrics and labels that there are."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

import deploy
from deploy.generate.__main__ import made, main
from deploy.generate.catalogue import as_scraped, whole, wrong
from deploy.generate.label_values import unknown_values
from deploy.generate.objectives import ObjectiveError, read
from deploy.generate.promql import grouping, selectors, unknown
from deploy.generate.runbook import PAGE, linked
from deploy.generate.slo import rules
from deploy.generate.staleness import longest_wait
from service.jobs.schedule import JOBS

HERE = Path(deploy.__file__).parent
RULES = sorted((HERE / "prometheus" / "rules").glob("*.yml"))


def rules_of(path):
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


EVERY = [rule for path in RULES for rule in rules_of(path)]


def test_what_is_made_is_as_it_would_be_made_now():
    assert [path.name for path, text in made().items() if path.read_text() != text] == []


def test_every_rule_names_metrics_and_labels_that_there_are():
    found = {rule.get("alert", rule.get("record")): wrong(rule["expr"], EVERY) for rule in EVERY}

    assert {name: said for name, said in found.items() if said} == {}


def test_every_rule_asks_for_what_is_scraped_and_counts_nothing_that_comes_by_otlp_as_well():
    assert [rule["expr"] for rule in EVERY if rule["expr"] != as_scraped(rule["expr"])] == []


@pytest.mark.parametrize(
    ("expression", "scraped"),
    [
        ("rate(http_requests_total[5m])", 'rate(http_requests_total{job="sovani-api"}[5m])'),
        ('http_requests_total{status="a{}"} > 1', 'http_requests_total{job="sovani-api",status="a{}"} > 1'),
        ("sum by (job_name) (errors_total{ })", 'sum by (job_name) (errors_total{job="sovani-api" })'),
        (
            "alert_delay_seconds_bucket offset 1d or errors_total",
            'alert_delay_seconds_bucket{job="sovani-api"} offset 1d or errors_total{job="sovani-api"}',
        ),
        ('errors_total{job="sovani-api"}', 'errors_total{job="sovani-api"}'),
        ('up == 0 or slo:errors:ratio_rate5m{slo="x"}', 'up == 0 or slo:errors:ratio_rate5m{slo="x"}'),
    ],
)
def test_a_metric_of_the_service_is_that_of_its_page(expression, scraped):
    assert as_scraped(expression) == scraped


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(http_request_total[5m])", ["there is no metric http_request_total"]),
        ('sum(http_requests_total{code="500"})', ["http_requests_total has no label code"]),
        ("sum by (route) (rate(http_requests_total[5m]))", ["nothing in it has a label route"]),
        ('histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{le="1"}[5m])))', []),
        ('http_request_duration_seconds_sum{le="1"}', ["http_request_duration_seconds_sum has no label le"]),
        ('label_replace(up{job="a"}, "x", "$1", "job", "(.*)")', []),
        ("1 - (time() > bool 5) and on () vector(1) offset 5m", []),
    ],
)
def test_a_name_that_there_is_not_is_named(expression, said):
    assert list(unknown(expression, whole())) == said


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('sum(alerts{state="waiting"}) or on () vector(0)', ["alerts has no state waiting"]),
        ('alerts{state=~"waiting|pending"} or vector(0)', ["alerts has no state waiting"]),
        ('alerts{state!="over"}', ["alerts has no state over"]),
        ('alerts{state!~"over|sent"}', ["alerts has no state over"]),
        ('alerts{state="pending"} or alerts{state=~"s.*"}', []),
        ('rate(scheduler_jobs_total{status="error"}[5m])', ["scheduler_jobs_total has no status error"]),
        ('scheduler_jobs_total{job_name="sync_wb"}', ["scheduler_jobs_total has no job_name sync_wb"]),
        ('scheduler_jobs_total{job_name=~"$job_name"}', []),
        ('http_requests_total{status=~"5..|timeout"}', ["http_requests_total has no status timeout"]),
        ('http_requests_total{status=~"[45].."}', []),
        (
            'http_request_duration_seconds_count{endpoint="/api/v2/reviews"}',
            ["http_request_duration_seconds_count has no e"],
        ),
        ('http_requests_total{method="BREW"}', ["http_requests_total has no method BREW"]),
        (
            'external_api_requests_total{service="wildberries"}',
            ["external_api_requests_total has no service wildberries"],
        ),
        (
            'otelcol_exporter_queue_size{exporter="otlp/tempo"}',
            ["otelcol_exporter_queue_size has no exporter otlp/tempo"],
        ),
        (
            'ALERTS{alertstate="resolved",severity="page"}',
            ["ALERTS has no alertstate resolved", "ALERTS has no severity page"],
        ),
        ('up{job="sovani"} == 0', ["up has no job sovani"]),
        ('slo:budget_left:ratio{slo="uptime"}', ["slo:budget_left:ratio has no slo uptime"]),
        ('errors_total{component="anything"}', []),
        ('alert_channel_up{channel = "tele}gram"}', ["alert_channel_up has no channel tele}gram"]),
    ],
)
def test_a_value_that_a_label_cannot_have_is_named_also_behind_or_vector_0(expression, said):
    found = list(unknown_values(expression))

    assert len(found) == len(said)
    assert all(sentence.startswith(start) for sentence, start in zip(found, said, strict=True))


def test_selectors_and_groupings_are_told_from_functions_and_words():
    expression = 'sum by (a, b) (rate(x:y{c="d{", e!~"f"}[5m])) / on (g) group_left (h) max_over_time(z[1h]) or inf'

    assert [(each.metric, set(each.labels)) for each in selectors(expression)] == [("x:y", {"c", "e"}), ("z", set())]
    assert grouping(expression) == {"a", "b", "g", "h"}


def test_every_alert_says_what_is_wrong_how_grave_it_is_and_what_to_do():
    alerts = [rule for rule in EVERY if "alert" in rule]
    assert alerts
    for rule in alerts:
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert {"summary", "description", "runbook_url"} <= rule["annotations"].keys(), rule["alert"]
        assert rule["annotations"]["runbook_url"] == f"docs/how-to/runbook.md#{rule['alert'].lower()}"


def test_the_rules_link_to_the_address_of_the_runbook():
    texts = {path.name: text for path, text in made("https://wiki.example/a?b=1").items() if path.suffix == ".yml"}

    links = [
        rule["annotations"]["runbook_url"]
        for text in texts.values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]

    assert texts.keys() == {"alerts.yml", "slo.yml", "staleness.yml"}
    assert set(links) == {f"https://wiki.example/a?b=1#{rule['alert'].lower()}" for rule in EVERY if "alert" in rule}
    assert {name: linked(text, PAGE) for name, text in texts.items()} == {
        path.name: path.read_text() for path in RULES if path.name in texts
    }


@pytest.mark.parametrize("address", ["docs/runbook.md", "https://user:word@wiki.example", "https://wiki.example/#a"])
def test_a_wrong_address_of_the_runbook_writes_nothing(monkeypatch, capsys, address):
    monkeypatch.setattr("sys.argv", ["generate", "--runbook-url", address])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert "--runbook-url" in capsys.readouterr().err


def test_target_down_is_of_the_jobs_that_prometheus_is_configured_with_and_no_others():
    jobs = yaml.safe_load((HERE / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    [expression] = [rule["expr"] for rule in EVERY if rule.get("alert") == "TargetDown"]

    assert expression == f'up{{job=~"{"|".join(job["job_name"] for job in jobs)}"}} == 0'


def test_every_alert_has_a_page_in_the_runbook():
    pages = {
        line[3:].lower()
        for line in (HERE.parent / "docs" / "how-to" / "runbook.md").read_text().splitlines()
        if line[:3] == "## "
    }

    assert {rule["alert"].lower() for rule in EVERY if "alert" in rule} - pages == set()


def test_every_job_has_a_rule_by_its_own_cadence():
    stale = {rule["labels"]["job_name"] for rule in EVERY if rule.get("alert") == "JobStale"}
    waits = {job.name: longest_wait(job) for job in JOBS}

    assert stale == {job.name for job in JOBS}
    assert waits["sync_wb_orders"] == timedelta(minutes=30)
    assert waits["backup_database"] == timedelta(days=1)


def test_each_objective_burns_at_four_speeds_over_its_own_windows(tmp_path):
    path = tmp_path / "objectives.yml"
    path.write_text("- {name: x, objective: 99.5, promise: It works., errors: 'a[{{window}}]', total: 'b[{{window}}]'}")

    groups = rules(read(path))["groups"]

    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert [(rule["labels"]["burn"], rule["labels"]["severity"]) for rule in alerts] == [
        ("14.4", "critical"),
        ("6", "critical"),
        ("3", "warning"),
        ("1", "warning"),
    ]
    assert 'slo:errors:ratio_rate1h{slo="x"} > 14.4 * 0.005' in alerts[0]["expr"]
    assert 'slo:errors:ratio_rate5m{slo="x"} > 14.4 * 0.005' in alerts[0]["expr"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b", "no list of objectives"),
        ("- {name: x, objective: 99}", "Objective x: errors, promise, total is missing"),
        ("- {name: x, objective: 101, promise: p, bad: b}", "between 0 and 100"),
        ("- {name: x, objective: 99, promise: p, bad: b, windows: 3}", "windows is unknown"),
        ("- {name: x, objective: 99, promise: p, errors: a, total: 'b[{{window}}]'}", "errors has no {{window}}"),
        ("- {name: x, objective: 99, promise: p, bad: b}\n" * 2, "two objectives of one name"),
        ("- x", "it is no mapping"),
    ],
)
def test_a_wrong_objective_is_named_with_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "objectives.yml"
    path.write_text(text)

    with pytest.raises(ObjectiveError) as caught:
        read(path)

    assert said in str(caught.value)
