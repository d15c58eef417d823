"""Panels: Grafana's dashboards as values, and the JSON that they become."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.catalogue import as_scraped

WIDTH: Final = 24
"""Columns of a dashboard."""
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_GREEN, _AMBER, _RED = "green", "orange", "red"
Steps = Sequence[tuple[str, float | None]]
"""Colours, each with the value from which on it is so; the first has none."""


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` is in Grafana's words: `{{endpoint}}`. With `exemplars` the points that have a trace link to it."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    instant: bool = False

    @property
    def asked(self) -> str:
        return as_scraped(self.expr)


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
    """What can be chosen at the top: the values of a label of a metric."""

    name: str
    metric: str

    @property
    def query(self) -> str:
        return f"label_values({as_scraped(self.metric)}, {self.name})"


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
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


def high_is_good(amber: float, green: float) -> Steps:
    return ((_RED, None), (_AMBER, amber), (_GREEN, green))


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON, as its provisioning reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": list(dashboard.tags),
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source_variable(), *map(_variable, dashboard.variables)]},
        "links": [{"type": "dashboards", "title": "Sovani", "tags": ["sovani"], "asDropdown": True, "keepTime": True}],
        "annotations": {"list": [_alerts()]},
        "panels": list(_placed(dashboard.rows)),
    }


def _source_variable() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _alerts() -> dict[str, Any]:
    """Where an alert fired, on every graph."""
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": _RED,
        "expr": 'ALERTS{alertstate="firing",severity="critical"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{job_name}} {{service}} {{slo}}",
    }


def _placed(rows: tuple[Row, ...]) -> Iterator[dict[str, Any]]:
    """From left to right and from top to bottom, as a text is set."""
    top = number_of = 0
    for row in rows:
        number_of += 1
        yield {"id": number_of, "type": "row", "title": row.title, "collapsed": False, "panels": []} | _at(
            0, top, WIDTH, 1
        )
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            number_of += 1
            yield {"id": number_of, **_panel(panel), **_at(left, top, panel.width, panel.height)}
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _at(x: int, y: int, w: int, h: int) -> dict[str, Any]:
    return {"gridPos": {"x": x, "y": y, "w": w, "h": h}}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": [_target(panel, query, chr(ord("A") + index)) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        **({"transformations": _as_columns(panel)} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, query: Query, ref: str) -> dict[str, Any]:
    return {
        "refId": ref,
        "datasource": _SOURCE,
        "expr": query.asked,
        "legendFormat": query.legend or "__auto",
        "instant": query.instant,
        "range": not query.instant,
        "exemplar": query.exemplars,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": colour, "value": value} for colour, value in panel.steps]
    found: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind in {"stat", "state-timeline"} else "palette-classic"},
        "mappings": list(panel.mappings),
    }
    if panel.kind == "timeseries":
        limits = "dashed" if len(panel.steps) > 1 else "off"
        stacking = {"mode": "normal" if panel.stacked else "none"}
        found["custom"] = {
            "fillOpacity": 30 if panel.stacked else 8,
            "stacking": stacking,
            "showPoints": "never",
            "thresholdsStyle": {"mode": limits},
        }
        found |= {name: value for name, value in (("min", panel.least), ("max", panel.most)) if value is not None}
    return found


def _as_columns(panel: Panel) -> list[dict[str, Any]]:
    names = {f"Value #{chr(ord('A') + index)}": query.legend for index, query in enumerate(panel.queries)}
    if len(panel.queries) == 1:
        names = {"Value": panel.queries[0].legend}
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
    ]


_OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"},
    "state-timeline": {"mergeValues": True, "showValue": "never", "rowHeight": 0.8, "legend": {"showLegend": True}},
    "table": {"cellHeight": "sm", "showHeader": True},
}
