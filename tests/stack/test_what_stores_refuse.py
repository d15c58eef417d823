"""Stores that refuse what the Collector sends: its log and an alert on the phone say which, and why."""

import re

import pytest

from tests.stack.conftest import LONG, REFUSED, Stack
from tests.support.processes import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200), pytest.mark.usefixtures("refused")]


@pytest.mark.parametrize(("exporter", "status"), REFUSED.items())
def test_a_store_that_refuses_is_named_by_the_log_of_the_collector_and_by_an_alert(
    stack: Stack, exporter: str, status: int
):
    def said() -> list[str]:
        return [
            line for line in stack.logs("otel-collector") if exporter in line and f"HTTP Status Code {status}" in line
        ]

    store = exporter.removeprefix("otlp_http/")
    assert all(f"http://{store}:" in line for line in eventually(said, LONG))
    alert = f'ALERTS{{alertname="CollectorGivesUp",alertstate="firing",exporter="{exporter}",reason="refused"}}'
    eventually(lambda: stack.query(alert), LONG)
    lost = re.compile(
        rf"CollectorGivesUp firing .*{exporter} lost \d+ spans, points or records \(refused\) Refused: the Collector's log has the HTTP status "
        r"and the address of the store\. 401 and 403: its …_AUTHORIZATION is wrong\. .*Runbook"
    )
    eventually(lambda: any(map(lost.search, stack.messages("CollectorGivesUp"))), LONG)
