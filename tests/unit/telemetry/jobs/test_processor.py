import os

from opentelemetry.sdk.trace import TracerProvider

from tests.support.job_spans import processor_into


def tracer_into(record, worker=None):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor_into(record, worker=worker))
    return provider.get_tracer("tests")


def test_a_job_is_handed_over_when_it_begins_and_when_it_ends():
    runs = []
    span = tracer_into(runs.append).start_span("nightly", attributes={"job.name": "sync"})
    assert [run.status for run in runs] == ["running"]

    span.end()

    assert [run.status for run in runs] == ["running", "success"]


def test_the_worker_is_the_host_and_the_process():
    runs = []

    tracer_into(runs.append).start_span("nightly", attributes={"job.name": "sync"})

    host, process = runs[0].worker.rsplit(":", 1)
    assert host == os.uname().nodename
    assert process == str(os.getpid())


def test_what_the_recorder_raises_does_not_reach_the_span():
    def broken(run):
        raise RuntimeError("the recorder is broken")

    span = tracer_into(broken).start_span("nightly", attributes={"job.name": "sync"})
    span.end()

    assert span.end_time is not None
