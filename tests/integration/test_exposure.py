"""Access: what OPS_TOKEN closes, and what it leaves open."""

import pytest

from tests.support.processes import Programs

pytestmark = pytest.mark.e2e

TOKEN = "open-sesame-42"


def test_the_ops_token_closes_metrics_and_jobs_and_leaves_the_probes_open(programs: Programs):
    service = programs.serve(OPS_TOKEN=TOKEN)
    service.wait_for("/readyz")
    closed = ["/metrics", "/jobs", "/jobs/status", "/jobs/stats/check_resources"]

    without = [service.get(path) for path in closed]
    wrong = [service.get(path, authorization="Bearer open-sesame") for path in closed]
    right = [service.get(path, authorization=f"Bearer {TOKEN}") for path in closed]

    assert {answer.status_code for answer in without + wrong} == {401}
    assert {answer.headers["content-type"] for answer in without + wrong} == {"application/problem+json"}
    assert {answer.headers["www-authenticate"] for answer in without + wrong} == {"Bearer"}
    assert [answer.status_code for answer in right] == [200] * 4
    for probe in ("/health", "/healthz", "/livez", "/readyz", "/readyz/database"):
        assert service.get(probe).status_code == 200
    assert TOKEN not in service.said()
