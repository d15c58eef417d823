"""The dashboards: made anew from their values, of metrics and labels that there are, and so are the pages that explain them."""

import json
import re
from pathlib import Path

import pytest
import yaml

import deploy
from deploy.generate.catalogue import JOB, own, wrong
from deploy.generate.dashboards import dashboards
from deploy.generate.dashboards.grafana import as_json
from deploy.generate.objectives import read
from deploy.generate.promql import grouping, labels_of, selectors
from tests.support.deployed_names import PAGES, ROOT
from tests.support.deployed_names import wrong as wrong_words

HERE = Path(deploy.__file__).parent
ALL = dashboards(read(HERE / "prometheus" / "objectives.yml"))
PANELS = [(name, panel) for name, dashboard in ALL.items() for panel in dashboard.panels]
RULES = [
    rule
    for path in (HERE / "prometheus" / "rules").glob("*.yml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]


@pytest.mark.parametrize("name", ALL)
def test_every_panel_names_metrics_and_labels_that_there_are_and_says_what_is_seen(name):
    for panel in ALL[name].panels:
        assert [wrong(query.asked, RULES) for query in panel.queries] == [[]] * len(panel.queries), panel.title
        assert panel.about.endswith((".", "?")), panel.title


@pytest.mark.parametrize("name", ALL)
def test_no_two_panels_of_a_dashboard_show_the_same(name):
    asked = [tuple(query.asked for query in panel.queries) for panel in ALL[name].panels]

    assert [queries for queries in asked if asked.count(queries) > 1] == []


def test_every_metric_of_the_service_is_on_a_dashboard_or_in_a_rule():
    """What nobody looks at need not be measured. A few are there for other tools."""
    asked = " ".join([query.expr for _, panel in PANELS for query in panel.queries] + [rule["expr"] for rule in RULES])
    for_others = {
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
        "python_gc_collections_total",
        "telemetry_exported_total",
    }

    assert {name for name in own() if not re.search(rf"\b{name}", asked)} - for_others == set()


TABLES = [(name, panel) for name, panel in PANELS if panel.kind == "table" and len(panel.queries) > 1]


@pytest.mark.parametrize(("name", "panel"), TABLES, ids=[f"{name}: {panel.title}" for name, panel in TABLES])
def test_the_rows_of_a_table_merge_since_its_queries_have_the_same_labels(name, panel):
    """Grafana merges rows that are alike in every label, and the name of a metric is one of those."""
    labels = [grouping(query.expr) for query in panel.queries]

    assert labels == [labels[0]] * len(labels), name
    assert labels[0]


@pytest.mark.parametrize("name", ALL)
def test_every_panel_is_of_the_job_and_the_instances_that_are_chosen(name):
    for panel in ALL[name].panels:
        found = [each for query in panel.queries for each in selectors(query.asked)]
        of_the_service = [each for each in found if labels_of(each.metric, own()) is not None]
        assert all({"job", "instance"} <= each.labels for each in of_the_service), panel.title


def test_what_can_be_chosen_is_a_job_that_is_scraped_its_instances_and_its_jobs():
    [job, instance, job_name] = ALL["jobs"].variables

    assert (job.query, job.one) == ("query_result(app_info and on (job, instance) up)", JOB)
    assert instance.query == 'label_values(app_info{job="$job"}, instance)'
    assert job_name.query == 'label_values(scheduler_jobs_total{job="$job",instance=~"$instance"}, job_name)'
    assert {dashboard.variables[:2] for dashboard in ALL.values()} == {(job, instance)}


@pytest.mark.parametrize("name", ALL)
def test_panels_lie_beside_each_other_and_none_on_another(name):
    taken = set()
    for panel in as_json(ALL[name])["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", ALL)
def test_what_grafana_reads_is_what_is_made(name):
    assert json.loads((HERE / "grafana" / "dashboards" / f"{name}.json").read_text()) == as_json(ALL[name])


@pytest.mark.parametrize("name", ALL)
def test_each_panel_and_each_dashboard_has_an_id_of_its_own(name):
    ids = [panel["id"] for panel in as_json(ALL[name])["panels"]]

    assert len(ids) == len(set(ids))
    assert len({dashboard.uid for dashboard in ALL.values()}) == len(ALL)


def test_from_a_point_to_its_trace_and_from_a_trace_to_its_logs():
    sources = yaml.safe_load((HERE / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
    of = {source["uid"]: source for source in sources}

    assert of["prometheus"]["jsonData"]["exemplarTraceIdDestinations"] == [
        {"name": "trace_id", "datasourceUid": "tempo"}
    ]
    assert of["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert of["loki"]["jsonData"]["derivedFields"][0]["datasourceUid"] == "tempo"
    assert any(query.exemplars for _, panel in PANELS for query in panel.queries)


def test_a_page_names_no_metric_that_there_is_not():
    found = {page.name: list(wrong_words(page.read_text(), RULES)) for page in PAGES}

    assert {name: words for name, words in found.items() if words} == {}


def test_a_wrong_name_in_a_page_is_named():
    text = "Look at `rate(http_request_total[5m])`, and at `scheduler_jobs_total`, `http_requests_count`."

    assert list(wrong_words(text)) == ["http_request_total", "http_requests_count"]


def test_a_page_links_to_what_is_there():
    links = [(page, target) for page in PAGES for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())]
    for page, target in links:
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), (page.name, target)
        if anchor:
            heads = [
                re.sub(r"[^a-z0-9 _-]", "", line.lstrip("# ").lower()).replace(" ", "-")
                for line in file.read_text().splitlines()
                if line.startswith("#")
            ]
            assert anchor in heads, (page.name, target)


def test_every_page_is_on_the_list():
    index = (ROOT / "docs" / "index.md").read_text()

    assert [
        page.name
        for page in PAGES
        if page.parent.parent.name == "docs" and f"{page.parent.name}/{page.name}" not in index
    ] == []
