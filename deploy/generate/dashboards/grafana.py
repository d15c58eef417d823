"""Grafana: the JSON that a dashboard becomes, as its provisioning reads it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.generate.dashboards.panels import WIDTH, Dashboard, Panel, Query, Row, Variable

_SEVERAL: Final = {"multi": True, "includeAll": True, "allValue": ".*"}
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def as_json(dashboard: Dashboard) -> dict[str, Any]:
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
        "links": [_others()],
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


def _others() -> dict[str, Any]:
    """To the other dashboards, with what is chosen in this one."""
    chosen = {"keepTime": True, "includeVars": True, "targetBlank": False}
    words = {"title": "Sovani", "tags": ["sovani"], "icon": "external link", "tooltip": ""}
    return {"type": "dashboards", "asDropdown": True, **words, **chosen}


def _variable(variable: Variable) -> dict[str, Any]:
    chosen = {"text": variable.one, "value": variable.one} if variable.one else {"text": "All", "value": "$__all"}
    several = {"multi": False, "includeAll": False} if variable.one else _SEVERAL
    return {
        "name": variable.name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "regex": variable.regex,
        **several,
        "current": chosen,
    }


def _alerts() -> dict[str, Any]:
    """Where an alert fired, on every graph."""
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "red",
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
        "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    },
    "state-timeline": {
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.8,
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    },
    "table": {"frameIndex": 0, "cellHeight": "sm", "showHeader": True},
}
