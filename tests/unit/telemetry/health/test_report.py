import json
from datetime import UTC, datetime

import pytest

from telemetry.health.report import CheckResult, Report

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
OK = CheckResult()
WARNING = CheckResult("warning", {"free_gb": 2.1, "used_percent": 95})
ERROR = CheckResult.failed("Connection refused")


@pytest.mark.parametrize(
    ("results", "status", "healthy"),
    [
        ([], "healthy", True),
        ([OK, OK], "healthy", True),
        ([OK, WARNING], "degraded", True),
        ([WARNING, ERROR, OK], "unhealthy", False),
    ],
)
def test_the_worst_result_decides(results, status, healthy):
    report = Report({str(number): result for number, result in enumerate(results)})

    assert (report.status, report.is_healthy) == (status, healthy)


def test_the_body_is_the_contracts():
    report = Report({"database": ERROR, "disk": WARNING})

    assert json.dumps(report.body(NOON)) == (
        '{"status": "unhealthy", "healthy": false, "checks": {'
        '"database": {"status": "error", "error": "Connection refused"}, '
        '"disk": {"status": "warning", "free_gb": 2.1, "used_percent": 95}, '
        '"timestamp": "2025-10-02T12:00:00+00:00"}}'
    )


def test_there_is_one_line_a_check_and_a_warning_is_no_failure():
    report = Report({"database": ERROR, "disk": WARNING})

    assert list(report.lines()) == ["[-]database failed: Connection refused", "[+]disk ok"]
