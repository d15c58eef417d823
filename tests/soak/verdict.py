"""What has to hold in a soak, and what is said for information."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from service.scheduler.claims import LEASE_SECONDS
from tests.soak.faults import Faults
from tests.soak.figures import Table, is_near, percentile
from tests.soak.plan import OUTAGE_SECONDS
from tests.soak.program import ERROR_TYPE, FAILING_ROUTE, SHORT_JOB, SoakedService
from tests.soak.watchers import Client, Probe, Prober, Scraper, Usage, UsageWatch

PROBE_SECONDS: Final = 1.0
STALL_SECONDS: Final = 0.2  # a check has 0.7 s, of which a machine that is this busy leaves too little
WARM_UP_SECONDS: Final = 180.0
GENERATION_AGE: Final = (40.0, 55.0)
START_SECONDS: Final = 10  # of a worker, on a busy machine
LOSS_SECONDS: Final = 1.5  # a killed worker loses its last second, and the machine is busy
LATE_SECONDS: Final = 0.5
RSS_TOLERANCE: Final = 0.5  # MiB a minute
GENERATION_RSS_TOLERANCE: Final = 1.5  # the same; one that has met an outage has some 20 MiB more than another
COUNT_TOLERANCE: Final = 0.2  # descriptors, threads or files a minute
_OUTCOMES: Final = {"done": "success", "failed": "error"}


@dataclass(frozen=True)
class Watched:
    """All that was seen in a run."""

    running: SoakedService
    faults: Faults
    prober: Prober
    clients: Sequence[Client]
    scraper: Scraper
    usage: UsageWatch
    began: float


def judge_probes(table: Table, watched: Watched) -> None:
    probes = watched.prober.probes
    late = [probe for probe in probes if probe.seconds - probe.stall > PROBE_SECONDS and probe.status]
    kills = list(watched.faults.killed.values())
    failed = [
        probe for probe in probes if not probe.status and not is_near(probe.began + probe.seconds, kills, 0.5, 1.0)
    ]
    not_alive = [probe for probe in probes if probe.path in {"/livez", "/health"} and probe.status not in {0, 200}]
    seconds = [probe.seconds for probe in probes]
    table.say("probes", len(probes))
    table.say("probes: p50, p99, longest, in s", " ".join(f"{value:.3f}" for value in _spread(seconds)))
    table.say("longest time for which this program was kept from running, in s", _longest_stall(watched.prober))
    limit = math.inf if watched.usage.is_machine_busy else 0
    table.at_most("probes over 1 s, without that time", len(late), limit, [_told(each, watched) for each in late])
    table.at_most("probes without an answer, but at a kill", len(failed), 0, [_told(each, watched) for each in failed])
    table.at_most("/livez and /health other than 200", len(not_alive), 0, [_told(each, watched) for each in not_alive])
    unready = [p for p in probes if p.status == 503 and p.stall < STALL_SECONDS and not _is_outage(p.began, watched)]
    details = [_told(probe, watched) for probe in unready]
    table.at_most("503 of /readyz and /healthz outside of outages and starts", len(unready), limit, details)


def _spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    return percentile(seconds, 0.5), percentile(seconds, 0.99), max(seconds, default=0.0)


def _longest_stall(prober: Prober) -> float:
    return max((late for _, late in prober.stalls.found), default=0.0)


def _told(probe: Probe, watched: Watched) -> str:
    return (
        f"{probe.path} {probe.status} after {probe.seconds:.2f} s (stall {probe.stall:.2f}) at {probe.began - watched.began:.0f} s; "
        f"before it: {_last_faults(probe.began, watched)}"
    )


def _last_faults(moment: float, watched: Watched) -> str:
    before = [f"{event.what} {moment - at:.0f} s ago" for at, event in watched.faults.made if at <= moment]
    return ", ".join(before[-2:])


def _is_outage(moment: float, watched: Watched) -> bool:
    """A database that is back has to recover, and checks are shared for two seconds. A full disk is a state of /healthz.

    A worker in the place of one that was killed answers before it is ready.
    """
    faults = watched.faults
    outages = (*faults.times("database killed"), *faults.times("database hangs"))
    is_away = is_near(moment, outages, 0, OUTAGE_SECONDS + 10) or is_near(moment, faults.times("disk full"), 0, 40)
    return is_away or is_near(moment, faults.killed.values(), 0, START_SECONDS)


def judge_counters(table: Table, watched: Watched) -> None:
    scraper, answered = (
        watched.scraper,
        sum((client.answered for client in watched.clients), Counter[tuple[str, str]]()),
    )
    table.say("scrapes", scraper.scrapes)
    table.say("scrapes that failed", len(scraper.failed))
    fell = [
        f"at {at - watched.began:.0f} s {what}; before it: {_last_faults(at, watched)}" for at, what in scraper.fell
    ]
    table.at_most("scrapes in which counters fell", len(fell), 0, fell)
    at_risk = _at_risk(watched)
    table.say("requests answered", sum(answered.values()))
    table.say("requests without an answer", sum(client.unanswered for client in watched.clients))
    table.say("answers with 500", sum(number for (_, status), number in answered.items() if status == "500"))
    table.say("answers with 503", sum(number for (_, status), number in answered.items() if status == "503"))
    lost = {
        f"{route} {status}": number - counted
        for (route, status), number in answered.items()
        if (counted := scraper.total("http_requests_total", endpoint=route, status=status)) < number
    }
    table.at_most("answers that are not counted", sum(lost.values()), sum(at_risk.values()), [lost])
    crashes = [
        f"{route} {number}"
        for (route, status), number in answered.items()
        if status == "500" and route != FAILING_ROUTE
    ]
    table.at_most("routes that crashed by themselves", len(crashes), 0, crashes)


def _at_risk(watched: Watched) -> Counter[tuple[str, str]]:
    """The answers in the last second of a killed worker, which are the only ones that may not be counted.

    A client of this busy program may note an answer a moment after it noted the kill.
    """
    kills = list(watched.faults.killed.values())
    return Counter(
        what
        for client in watched.clients
        for at, what in client.answered_at
        if is_near(at, kills, LOSS_SECONDS, LATE_SECONDS)
    )


def judge_errors(table: Table, watched: Watched, runs: "RunsKept", alerts: Sequence[dict[str, Any]]) -> None:
    """Each error is counted, but for the last second of a killed worker, and is told."""
    requests = sum(client.answered[FAILING_ROUTE, "500"] for client in watched.clients)
    counted = watched.scraper.total("errors_total", error_type=ERROR_TYPE)
    at_risk = sum(number for (route, _), number in _at_risk(watched).items() if route == FAILING_ROUTE)
    wanted = requests + runs.noted_failures
    table.say("errors of requests and of jobs", f"{requests} + {runs.noted_failures}")
    table.at_least("errors counted", counted, wanted - at_risk - runs.killed_failures)
    told = [alert for alert in alerts if "A request fails" in f"{alert['text']}{alert['error']}"]
    table.say("errors of requests in alerts", sum(alert["sent_count"] for alert in told))
    table.at_least("errors of requests told", sum(alert["count"] for alert in told), requests - at_risk)
    untold = [
        a
        for a in alerts
        if a["state"] == "pending" or (a["state"] == "ended" and a["ended"] == "expired" and not a["sent_count"])
    ]
    table.at_most("alerts that were not told", len(untold), 0, [alert["text"] for alert in untold])
    jumps = sum(alert["count"] for alert in alerts if alert["text"].startswith("The clock was"))
    table.say("alerts", len(alerts))
    table.at_most("times that an alert says that the clock was set", jumps, 2)
    table.at_least("times that an alert says that the clock was set", jumps, 2)
    table.details += [f"alert: {alert['count']} x {alert['state']} {alert['text'][:150]}" for alert in alerts]


@dataclass(frozen=True)
class RunsKept:
    """What the jobs noted, beside the rows of the table."""

    started: set[str]
    returned: dict[str, str]
    rows: dict[str, tuple[str | None, int]]
    killed: frozenset[int]

    @classmethod
    def read(cls, watched: Watched) -> "RunsKept":
        noted = [line.split() for line in watched.running.runs.read_text().splitlines()]
        engine = create_engine(watched.faults.postgres.url, poolclass=NullPool)
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT span_id, outcome, worker FROM job_runs WHERE job_name LIKE 'soak%'")
            )
            rows = {row.span_id: (row.outcome, int(row.worker.rpartition(":")[2])) for row in found}
        return cls(
            {span for word, span in noted if word == "started"},
            {span: _OUTCOMES[word] for word, span in noted if word != "started"},
            rows,
            frozenset(watched.faults.killed),
        )

    @property
    def is_settled(self) -> bool:
        return not self.started - self.rows.keys() and all(outcome for outcome, _ in self.rows.values())

    @property
    def noted_failures(self) -> int:
        return sum(1 for outcome in self.returned.values() if outcome == "error")

    @property
    def killed_failures(self) -> int:
        return sum(1 for span, outcome in self.returned.items() if outcome == "error" and self._is_killed(span))

    def _is_killed(self, span: str) -> bool:
        return span in self.rows and self.rows[span][1] in self.killed

    def judge(self, table: Table) -> None:
        """A killed worker may have noted the end of a run whose end it then could not keep."""
        outcomes = Counter(outcome for outcome, _ in self.rows.values())
        table.say("runs of the soak's jobs", f"{len(self.started)}")
        table.say("their outcomes", " ".join(f"{outcome}:{number}" for outcome, number in outcomes.items()))
        without = self.started - self.rows.keys()
        table.at_most("runs without a row", len(without), 0, without)
        other = [f"{span}: {outcome}, {self.rows[span]}" for span, outcome in self.returned.items()
                 if span in self.rows and self.rows[span][0] != outcome]  # fmt: skip
        at_kills = [each for each in other if "lost" in each and self._is_killed(each[:16])]
        table.at_most("runs with another outcome than they had", len(other) - len(at_kills), 0, other)
        table.at_most("runs that ended just before a kill, and are kept as lost", len(at_kills), len(self.killed))
        lost = [span for span, (outcome, pid) in self.rows.items() if outcome == "lost" and pid not in self.killed]
        table.at_most("runs kept as lost whose worker was not killed", len(lost), 0, lost)


def judge_schedule(table: Table, watched: Watched) -> None:
    """Ticks may be missed while the database is away, and while the lease of a killed worker's run lasts. A clock invents more."""
    scraper, faults = watched.scraper, watched.faults
    outages = len(faults.times("database killed")) + len(faults.times("database hangs"))
    away = outages * (OUTAGE_SECONDS + 10) + len(faults.killed) * LEASE_SECONDS
    missed = scraper.total("scheduler_runs_missed_total")
    table.at_most("missed ticks of all jobs", missed, away)
    table.at_most("runs told as overdue", scraper.total("scheduler_runs_overdue_total"), 0)
    table.say("skipped ticks", scraper.total("scheduler_ticks_skipped_total"))
    table.say("worker restarts that are counted", scraper.total("worker_restarts_total", reason="killed"))
    table.say("workers killed", len(faults.killed))
    received = scraper.total("telemetry_job_records_total", state="received")
    ended = sum(scraper.total("telemetry_job_records_total", state=state) for state in ("written", "dropped"))
    table.say("job records received, and written or dropped", f"{received:.0f} {ended:.0f}")
    table.at_most("job records dropped", scraper.total("telemetry_job_records_total", state="dropped"), 0)
    runs = scraper.total("scheduler_jobs_total", job_name=SHORT_JOB)
    table.say(f"runs of {SHORT_JOB} that are counted", runs)


def judge_usage(table: Table, watched: Watched) -> None:
    """The parent and the worker that lives from the beginning to the end; and of the killed ones, what each used at the same age."""
    usage, killed = watched.usage, watched.faults.killed
    parent = watched.running.service.process.pid
    lasting = [pid for pid, found in usage.by_pid.items() if pid != parent and pid not in killed]
    oldest = min(lasting, key=lambda pid: usage.by_pid[pid][0].at)
    for name, pid in (("parent", parent), ("lasting worker", oldest)):
        warm = [each for each in usage.by_pid[pid] if each.at - watched.began > WARM_UP_SECONDS]
        _judge_process(table, name, warm)
    ages = [
        each
        for pid in killed
        for each in usage.by_pid.get(pid, [])
        if GENERATION_AGE[0] <= each.age <= GENERATION_AGE[1]
    ]
    warm = [each for each in ages if each.at - watched.began > WARM_UP_SECONDS]
    _judge_process(table, "worker of some 50 s", warm, GENERATION_RSS_TOLERANCE)
    files = [(at - watched.began, number) for at, number in usage.files if at - watched.began > WARM_UP_SECONDS]
    table.say("files", f"{files[0][1]:.0f} .. {files[-1][1]:.0f}" if files else "too short")
    table.slope("files, growth", files, COUNT_TOLERANCE)
    table.say("load of the machine: median, highest", f"{percentile(usage.loads, 0.5):.1f} {max(usage.loads):.1f}")


def _judge_process(table: Table, name: str, warm: Sequence[Usage], rss_tolerance: float = RSS_TOLERANCE) -> None:
    if warm:
        first, last = warm[0], warm[-1]
        table.say(f"{name}: MiB, descriptors, threads, first", f"{first.rss:.1f} {first.descriptors} {first.threads}")
        table.say(f"{name}: MiB, descriptors, threads, last", f"{last.rss:.1f} {last.descriptors} {last.threads}")
    table.slope(f"{name}: MiB, growth", [(each.at, each.rss) for each in warm], rss_tolerance)
    table.slope(f"{name}: descriptors, growth", [(each.at, each.descriptors) for each in warm], COUNT_TOLERANCE)
    table.slope(f"{name}: threads, growth", [(each.at, each.threads) for each in warm], COUNT_TOLERANCE)
