"""The costs of a job's runs, from their rows, on both databases."""

from datetime import timedelta

from telemetry.jobs import JobRunRepository, job_statistics
from tests.support.job_runs import NOON, ended


def test_mean_p95_sum_and_the_dearest_runs_of_the_window(engine):
    runs = [ended(n, cpu_seconds=float(n), cost_usd=n / 100) for n in range(1, 21)]
    JobRunRepository(engine).write([*runs, ended(30)])

    costs = job_statistics(engine, "sync", now=NOON + timedelta(hours=1)).costs

    assert (costs.measured_runs, costs.total_cpu_seconds, costs.mean_cpu_seconds, costs.p95_cpu_seconds) == (
        20,
        210.0,
        10.5,
        19.0,
    )
    assert [run.cpu_seconds for run in costs.dearest] == [20.0, 19.0, 18.0, 17.0, 16.0]
