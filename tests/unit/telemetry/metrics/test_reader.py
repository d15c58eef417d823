import asyncio
import threading

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader

REQUEST = {
    "http.request.method": "GET",
    "http.route": "/reviews",
    "http.response.status_code": 200,
    "url.scheme": "http",
}


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def test_on_an_event_loop_the_rendering_and_the_callbacks_run_in_threads_of_their_own(stage):
    makers = []
    stage.meter.create_observable_gauge("maker", [lambda _: makers.append(threading.current_thread().name) or []])

    body, headers = asyncio.run(stage.page.respond_in_thread())

    assert (body, headers["Content-Type"]) == stage.page.render()
    assert makers[0] == "metrics-callback"


def test_the_rendering_has_its_content_type(stage):
    page, content_type = stage.page.render()

    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert page.endswith(b"\n")


def test_families_are_declared_before_the_first_measurement(stage):
    assert "# TYPE http_requests_total counter\n" in stage.text()


def test_a_reader_without_a_provider_renders_the_declarations(caplog):
    page, _kind = MetricsPage(FamilyReader().collect_own).render()

    assert b"# TYPE http_requests_total counter\n" in page


def test_plain_names_are_opentelemetrys(make_stage):
    stage = make_stage("otel")
    stage.request_duration.record(0.02, REQUEST)
    stage.instruments.job_runs.add(1, {"job.name": "sync"})

    families = stage.families()

    assert families["http_server_request_duration_seconds"].type == "histogram"
    assert stage.series("job_runs_total") == {(("job_name", "sync"),): 1}
    assert "http_requests" not in families


def test_plain_names_are_there_in_openmetrics_as_well(make_stage):
    stage = make_stage("otel")
    stage.instruments.job_runs.add(1, {"job.name": "sync"})

    page, content_type = stage.page.render("application/openmetrics-text")

    assert content_type.startswith("application/openmetrics-text")
    assert "job_runs" in {family.name for family in parse_openmetrics(page.decode())}


def test_a_flush_between_two_scrapes_changes_neither_page(make_stage):
    for vocabulary in ("service", "otel"):
        stage = make_stage(vocabulary)
        stage.instruments.job_runs.add(1, {"job.name": "sync", "job.status": "success"})
        before = sorted(stage.text().splitlines())

        stage.sdk.force_flush()
        stage.sdk.force_flush()

        assert sorted(stage.text().splitlines()) == before


def test_two_pages_of_one_provider_say_the_same_and_each_of_them_once(make_stage):
    plain = FamilyReader("otel")
    stage = make_stage(readers=[plain])
    stage.instruments.job_runs.add(3, {"job.name": "sync", "job.status": "success"})

    theirs = MetricsPage(plain.collect_own).render()[0].decode()

    assert stage.series("scheduler_jobs_total") == {(("job_name", "sync"), ("status", "success")): 3}
    assert samples(theirs)["job_runs_total", (("job_name", "sync"), ("job_status", "success"))] == 3
    assert theirs.count("# TYPE job_runs_total counter") == 1


def test_a_counter_is_cumulative_over_scrapes(stage):
    runs = stage.instruments.job_runs

    seen = []
    for _ in range(3):
        runs.add(1, {"job.name": "sync", "job.status": "success"})
        seen += stage.series("scheduler_jobs_total").values()

    assert seen == [1, 2, 3]


def test_concurrent_scrapes_are_each_consistent(stage):
    duration = stage.request_duration
    done = threading.Event()
    pages: list[dict] = []

    def count():
        while not done.is_set():
            duration.record(0.02, REQUEST)

    def read():
        pages.extend(samples(stage.text()) for _ in range(10))

    counting = threading.Thread(target=count)
    reading = [threading.Thread(target=read) for _ in range(8)]
    counting.start()
    for thread in reading:
        thread.start()
    for thread in reading:
        thread.join(30)
    done.set()
    counting.join(10)

    labels = (("endpoint", "/reviews"), ("method", "GET"), ("status", "200"))
    assert len(pages) == 80
    for page in pages:
        total = page.get(("http_requests_total", labels), 0)
        assert page.get(("http_request_duration_seconds_count", labels), 0) == total
        assert (
            page.get(("http_request_duration_seconds_bucket", (*labels[:1], ("le", "+Inf"), *labels[1:])), 0) == total
        )


def test_it_can_be_scraped_after_the_shutdown(stage):
    stage.instruments.job_runs.add(1, {"job.name": "sync", "job.status": "success"})

    stage.sdk.shutdown()

    assert stage.page.render()[0]
