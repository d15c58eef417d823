"""Panels: Grafana's dashboards as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.generate.catalogue import JOB, OF_TARGETS, own
from deploy.generate.promql import labels_of, narrowed

WIDTH: Final = 24
"""Columns of a dashboard."""
RATE: Final = "[$__rate_interval]"
"""The range for a rate at the scale of the graph."""
OR_NOTHING: Final = " or on () vector(0)"
"""What an expression ends with that gives 0 where there is nothing yet."""
_GREEN, _AMBER, _RED = "green", "orange", "red"
Steps = Sequence[tuple[str, float | None]]
"""Colours, each with the value from which on it is so; the first has none."""


def as_chosen(expression: str) -> str:
    """Of the service's own metrics, and of what Prometheus says of its targets, those of the job and the instances that are chosen."""
    mine = own()

    def concerns(metric: str) -> bool:
        return metric in OF_TARGETS or labels_of(metric, mine) is not None

    return narrowed(narrowed(expression, 'instance=~"$instance"', concerns), 'job="$job"', concerns)


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` is in Grafana's words: `{{endpoint}}`. With `exemplars` the points that have a trace link to it."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    instant: bool = False

    @property
    def asked(self) -> str:
        return as_chosen(self.expr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`about` says what is seen and what to do about it: somebody reads it at three in the morning."""

    title: str
    about: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    steps: Steps = ((_GREEN, None),)
    least: float | None = 0
    most: float | None = None
    mappings: Sequence[Mapping[str, Any]] = ()
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What can be chosen at the top: the values of a label of a metric.

    `metric` has the braces that narrow it down. With `one` only one is chosen, at first this one. With `regex` the metric is any
    expression, and the values are what it finds in the text of the result.
    """

    name: str
    metric: str
    one: str = ""
    regex: str = ""

    @property
    def query(self) -> str:
        return f"query_result({self.metric})" if self.regex else f"label_values({self.metric}, {self.name})"


# Only what is scraped has `up`: what the Collector passes on has a job of its own, and would be counted a second time.
TARGETS: Final = (
    Variable("job", "app_info and on (job, instance) up", one=JOB, regex='/job="([^"]+)"/'),
    Variable("instance", 'app_info{job="$job"}'),
)


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = TARGETS
    tags: tuple[str, ...] = field(default=("sovani",))

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]


def graph(title: str, about: str, *queries: Query, **options: Any) -> Panel:
    return Panel(title=title, about=about, queries=queries, **options)


def number(title: str, about: str, expr: str, **options: Any) -> Panel:
    """One figure, as of now."""
    chosen = {"width": 4, "height": 5, **options}
    return Panel(title=title, about=about, queries=(Query(expr, instant=True),), kind="stat", **chosen)


def table(title: str, about: str, *queries: Query, **options: Any) -> Panel:
    """A line for each set of labels; of several queries each is a column, and its legend the column's name."""
    now = tuple(Query(query.expr, query.legend, instant=True) for query in queries)
    return Panel(title=title, about=about, queries=now, kind="table", **options)


def timeline(title: str, about: str, query: Query, states: Mapping[int, tuple[str, str]], **options: Any) -> Panel:
    """`states` are the values' words and colours."""
    mapping = {"type": "value", "options": {str(value): {"text": t, "color": c} for value, (t, c) in states.items()}}
    chosen = {"width": WIDTH, "height": 10, **options}
    return Panel(title=title, about=about, queries=(query,), kind="state-timeline", mappings=(mapping,), **chosen)


def low_is_good(amber: float, red: float) -> Steps:
    return ((_GREEN, None), (_AMBER, amber), (_RED, red))


def none_is_good() -> Steps:
    return ((_GREEN, None), (_RED, 1))


def high_is_good(amber: float, green: float) -> Steps:
    return ((_RED, None), (_AMBER, amber), (_GREEN, green))
