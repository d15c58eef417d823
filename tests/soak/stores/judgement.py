"""What has to hold of both ways after the outages."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.soak.figures import Table
from tests.soak.stores import ways
from tests.soak.stores.outages import Outage, uncovered
from tests.soak.stores.scene import Scene
from tests.support.deployed_prometheus import Series

MARGIN: Final = 40.0
"""Seconds by which one way may be later than the other."""
ROUNDED: Final = 0.001
"""Sums of seconds are rounded on the page: to 60 ns for each series of each worker."""
_DROPPED: Final = (
    "otelcol_exporter_send_failed_metric_points_total",
    "otelcol_exporter_enqueue_failed_metric_points_total",
)


@dataclass(frozen=True)
class Way:
    """One of the two, and what keeps it from having samples."""

    name: str
    selector: str
    outages: tuple[Outage, ...]


def judge(table: Table, scene: Scene) -> None:
    """Nothing is away, and there is no traffic any more."""
    settled = scene.settle()
    prometheus, collector = (tuple(each.made) for each in scene.outages)
    others = (*scene.restarts, *scene.stalls)
    say_outages(table, scene)
    judge_answers(table, scene, settled=settled)
    for way in (
        Way("scraped", ways.SCRAPED, prometheus + others),
        Way("sent", ways.SENT, collector + others),
    ):
        judge_series(table, scene, way)
    judge_pairs(table, scene)
    judge_programs(table, scene)


def say_outages(table: Table, scene: Scene) -> None:
    for each in scene.outages:
        longest = max((outage.ended - outage.began for outage in each.made), default=0.0)
        table.say(f"{each.name}: kills, outages", f"{each.kills}, {len(each.made)}")
        table.say(f"{each.name}: seconds away, longest", f"{each.seconds_away():.0f}, {longest:.0f}")
    table.say("restarts of the service", len(scene.restarts))
    table.say("seconds for which the machine stood still", sum(each.ended - each.began for each in scene.stalls))


def judge_answers(table: Table, scene: Scene, *, settled: bool) -> None:
    truth, scraped, sent = scene.answers()
    table.say("answers that the client got", truth.total())
    table.say("requests without an answer", scene.traffic.unanswered)
    table.say("answers by the page, and by OTLP", f"{scraped.total()}, {sent.total()}")
    wrong = [f"{what}: {truth[what]}, scraped {scraped[what]}, sent {sent[what]}" for what in truth
             if not truth[what] == scraped[what] == sent[what]]  # fmt: skip
    table.at_most("routes of which a way tells another number", len(wrong), 0, wrong)
    table.at_most("waits for the truth, with nothing away, that were in vain", scene.unsettled + (not settled), 0)


def judge_series(table: Table, scene: Scene, way: Way) -> None:
    """Counters fall only when the service is restarted, and have samples whenever they can."""
    series, resets, falls = 0, 0.0, Counter[str]()
    gaps: list[tuple[float, str]] = []
    ended = time.time()
    for name in ways.counters(scene.store.names()):
        selector = f"{name}{{{way.selector}}}"
        resets += scene.store.number(f"resets({selector}[{scene.seconds:.0f}s])")
        for each in scene.store.series(selector, scene.seconds):
            series += 1
            falls.update(_falls(each, scene.restarts))
            longest = max(
                (uncovered(*gap, way.outages) for gap in _gaps(each, scene.restarts, ended)),
                default=0.0,
            )
            gaps.append((longest, str(each.labels)))
    limit = scene.spans.gap
    wrong = [f"{number} x {what}" for what, number in falls.items() if what != AT_RESTART]
    long = [f"{seconds:.0f} s: {what}" for seconds, what in sorted(gaps, reverse=True) if seconds > limit]
    table.at_least(f"{way.name}: counters, as series", series, 100)
    table.say(f"{way.name}: resets() of all of them", resets)
    table.at_most(f"{way.name}: resets that are no restart of the service", resets - falls[AT_RESTART], 0, wrong)
    table.at_most(f"{way.name}: falls between samples that are no restart", len(wrong), 0, wrong)
    table.say(f"{way.name}: longest gap that no outage explains, in s", max(gaps, default=(0.0, ""))[0])
    table.at_most(f"{way.name}: series with such a gap over {limit:g} s", len(long), 0, long)


AT_RESTART: Final = "at a restart"


def _falls(series: Series, restarts: Iterable[Outage]) -> Iterator[str]:
    for before, after in ways.falls(series):
        is_restart = any(before <= each.ended and each.began <= after for each in restarts)
        yield AT_RESTART if is_restart else f"{series.labels} between {before} and {after}"


def _gaps(series: Series, restarts: list[Outage], ended: float) -> Iterator[tuple[float, float]]:
    """With the one at the end. After a restart a series begins when there is something to count, or never."""
    for began, after in (*ways.gaps(series), (series.samples[-1][0], ended)):
        if not any(began <= each.ended + MARGIN and each.began <= after for each in restarts):
            yield began, after


def judge_pairs(table: Table, scene: Scene) -> None:
    """Every counter that both ways have: one is between what the other is a little before and a little after."""
    began = scene.restarts[-1].ended if scene.restarts else scene.began
    while time.time() < began + 2 * MARGIN:
        time.sleep(1)
    time.sleep(2 * MARGIN)
    moment = time.time() - MARGIN
    names = scene.store.names()
    pairs = [(name, ways.sent_name(name)) for name in ways.counters(names) if ways.sent_name(name) in names]
    wrong, compared = [], 0
    for scraped, sent in pairs:
        ours = scene.store.series(f"{scraped}{{{ways.SCRAPED}}}", 8 * MARGIN)
        theirs = scene.store.series(f"{sent}{{{ways.SENT}}}", 8 * MARGIN)
        if not ours or not theirs:
            continue
        compared += 1
        low, value, high = (
            _by_bucket(ours, began, moment - MARGIN),
            _by_bucket(theirs, began, moment),
            _by_bucket(ours, began, moment + MARGIN),
        )
        wrong += [
            f"{scraped} {bucket}: {low[bucket]} .. {high[bucket]}, but {sent}: {value[bucket]}"
            for bucket in value.keys() | high.keys()
            if not low[bucket] - ROUNDED <= value[bucket] <= high[bucket] + ROUNDED
        ]
    table.at_least("counters that both ways have", compared, 10)
    table.at_most("of them with another total by the other way", len(wrong), 0, wrong)


def _by_bucket(found: Iterable[Series], since: float, moment: float) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for each in found:
        # 1.0 on the page is 1 by OTLP.
        totals[str(float(each.labels.get("le", "inf")))] += ways.at(each, since, moment)
    return totals


def judge_programs(table: Table, scene: Scene) -> None:
    span = f"[{scene.seconds:.0f}s]"
    dropped = sum(
        scene.store.number(f'max_over_time({name}{{exporter="otlp_http/prometheus"}}{span})') for name in _DROPPED
    )
    table.at_most("points that the Collector dropped", dropped, 0)
    [up] = scene.store.series(f"up{{{ways.SCRAPED}}}", scene.seconds)
    failed = [at for at, value in up.samples if not value]
    others = [at for at in failed if not any(each.began <= at <= each.ended + MARGIN for each in scene.restarts)]
    table.say("scrapes, failed ones, those beside restarts", f"{len(up.samples)}, {len(failed)}, {len(others)}")
    table.at_most(
        "workers that died by themselves",
        scene.store.number(f"max_over_time(worker_restarts_total{{{ways.SCRAPED}}}{span})"),
        0,
    )
    said = "".join(file.read_text(errors="replace") for file in sorted(scene.programs.home.glob("*.err")))
    lost = [line for line in said.splitlines() if "Dropping data" in line]
    table.at_most("lines in which a Collector drops data", len(lost), 0, lost)
    for words in ("out of order", "Duplicate sample", "corrupt", "level=ERROR", "panic"):
        table.say(f"lines with `{words}` of all programs", said.count(words))
