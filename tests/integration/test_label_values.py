"""What the catalogue says of the labels is true: every value on the page of a service at work is one that it knows."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.generate.label_values import known_values
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs, eventually, free_port

pytestmark = pytest.mark.e2e

NOT_KNOWN = {"le", "path", "error_type", "component", "version", "environment", "model", "instrument", "worker"}


def test_every_value_of_a_closed_label_is_in_the_catalogue(programs: Programs):
    with otlp_receiver() as arrived:
        service = programs.serve(
            SANDBOX="true",
            SANDBOX_PORT=str(free_port()),
            SANDBOX_FAULTS="0.05",
            OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url,
        )
        service.wait_for("/readyz", within=90)
        for path in ("/jobs/status", "/api/v1/reviews", "/nowhere", "/metrics"):
            service.get(path)
        page = eventually(lambda: page_of(service))

    samples = [
        sample
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if "otel" not in sample.name
    ]
    wrong = {
        (sample.name, label, value)
        for sample in samples
        for label, value in sample.labels.items()
        if label not in NOT_KNOWN and (known := known_values(sample.name, label)) is not None and value not in known
    }
    assert wrong == set()
    assert (
        len({(sample.name, label) for sample in samples for label in sample.labels if known_values(sample.name, label)})
        > 40
    )


def page_of(service) -> str:
    page: str = service.get("/metrics").text
    return page if "external_api_requests_total{" in page and "reviews_processed_total{" in page else ""
