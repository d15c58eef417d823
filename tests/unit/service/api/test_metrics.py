from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

PROMETHEUS_ASKS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


def test_the_page_is_prometheus_text_for_everybody(client):
    for accept in ("", "*/*", "text/html", "text/plain;version=0.0.4"):
        answer = client.get("/metrics", headers={"accept": accept})

        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", accept
        assert "app_info" in {family.name for family in prometheus(answer.text)}, accept


def test_the_page_is_openmetrics_for_whoever_asks_for_it(client):
    answer = client.get("/metrics", headers={"accept": PROMETHEUS_ASKS})

    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("# EOF\n")
    assert "http_requests" in {family.name for family in openmetrics(answer.text)}


def test_all_lines_of_a_header_count_and_the_page_is_compressed_for_whoever_takes_it(client):
    headers = [("accept", "text/plain;q=0.1"), ("accept", "application/openmetrics-text"), ("accept-encoding", "gzip")]
    answer = client.get("/metrics", headers=headers)

    assert answer.text.endswith("# EOF\n")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


def test_its_headers_alone_can_be_asked_for(client):
    answer = client.head("/metrics")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_the_page_is_never_kept_by_a_cache(client):
    assert client.get("/metrics").headers["cache-control"] == "no-store"


def test_no_family_and_no_series_is_there_twice(client):
    client.get("/jobs")

    lines = client.get("/metrics").text.splitlines()

    types = [line for line in lines if line.startswith("# TYPE ")]
    series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
    assert len(types) == len(set(types))
    assert len(series) == len(set(series))


def test_a_request_is_counted_by_the_template_of_its_route(client):
    for path in (
        "/jobs/stats/check_resources",
        "/jobs/stats/nobody",
        "/no/such/path",
        "/jobs?secret=1",
        "/alerts?limit=7",
    ):
        client.get(path)
    client.request("FROBNICATE", "/jobs")

    page = client.get("/metrics").text

    counted = {
        tuple(sample.labels.values())
        for family in prometheus(page)
        for sample in family.samples
        if sample.name == "http_requests_total"
    }
    assert counted == {
        ("GET", "/jobs/stats/{job_name}", "200"),
        ("GET", "/jobs/stats/{job_name}", "404"),
        ("GET", "unmatched", "404"),
        ("GET", "/jobs", "422"),
        ("GET", "/alerts", "200"),
        ("_OTHER", "/jobs", "405"),
    }


def test_the_plain_translation_is_there_when_it_is_asked_for(app_of):
    client = TestClient(app_of(metrics_names="otel"))
    client.get("/jobs")

    page = client.get("/metrics").text

    assert "http_server_request_duration_seconds_count" in page
    assert "http_requests_total" not in page
