"""PromQL: which metrics and labels an expression names, as far as it takes to tell a name that there isn't, or to narrow one down."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_RANGE: Final = re.compile(r"\[[^\]]*\]")
_SELECTOR: Final = re.compile(r"(?<![\w:.$])([A-Za-z_:][\w:]*)\s*(\{[^}]*\}|\()?")
_WHOLE_MATCHER: Final = re.compile(rf"([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*({_STRING.pattern})")
_MATCHER: Final = re.compile(r"([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)")
_WORDS: Final = frozenset(
    (
        "and",
        "or",
        "unless",
        "bool",
        "offset",
        "inf",
        "nan",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "atan2",
    )
)
_OF_A_HISTOGRAM: Final = ("_bucket", "_count", "_sum")
EVERYWHERE: Final = frozenset({"job", "instance", "__name__"})
"""Labels that Prometheus puts on whatever it scrapes."""


@dataclass(frozen=True, slots=True)
class Selector:
    """`end` is where the metric's name ends in the expression."""

    metric: str
    labels: frozenset[str]
    end: int


@dataclass(frozen=True, slots=True)
class Matcher:
    metric: str
    label: str
    operator: str
    value: str


def selectors(expression: str) -> list[Selector]:
    """Each metric that is named, with the labels in its braces."""
    bare = _blank(_RANGE, _blank(_GROUPING, _blank(_STRING, expression)))
    return [
        Selector(found[1], frozenset(_MATCHER.findall(found[2] or "")), found.end(1))
        for found in _SELECTOR.finditer(bare)
        if found[2] != "(" and found[1].lower() not in _WORDS
    ]


def matchers(expression: str) -> list[Matcher]:
    """Each matcher in the braces behind a metric."""
    found = []
    for selector in selectors(expression):
        rest = expression[selector.end :]
        if selector.labels:
            braces = rest[: _blank(_STRING, rest).index("}")]
            parts = _WHOLE_MATCHER.findall(braces)
            found += [Matcher(selector.metric, label, operator, text[1:-1]) for label, operator, text in parts]
    return found


def _blank(pattern: re.Pattern[str], expression: str) -> str:
    """With spaces for what matches: everything else stays where it is."""
    return pattern.sub(lambda found: " " * len(found[0]), expression)


def narrowed(expression: str, matcher: str, concerns: Callable[[str], bool]) -> str:
    """With `matcher`, `job="a"`, in the braces of each metric that it `concerns` and that says nothing of that label."""
    [label] = _MATCHER.findall(matcher)
    for each in reversed(selectors(expression)):
        if concerns(each.metric) and label not in each.labels:
            rest = expression[each.end :].lstrip()
            braces = f"{{{matcher}{'' if rest[1:].lstrip().startswith('}') else ','}{rest[1:]}"
            expression = expression[: each.end] + (
                braces if rest.startswith("{") else f"{{{matcher}}}{expression[each.end :]}"
            )
    return expression


def grouping(expression: str) -> set[str]:
    """Labels that it groups or matches by."""
    lists = _GROUPING.findall(_STRING.sub('""', expression))
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}


def unknown(expression: str, catalogue: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """A sentence for each name that the catalogue, metrics with their labels, does not have."""
    found = selectors(expression)
    for each in found:
        labels = labels_of(each.metric, catalogue)
        if labels is None:
            yield f"there is no metric {each.metric}"
        elif wrong := each.labels - labels - EVERYWHERE:
            yield f"{each.metric} has no label {', '.join(sorted(wrong))}"
    known = EVERYWHERE.union(*(labels_of(each.metric, catalogue) or frozenset() for each in found))
    if found and (nowhere := grouping(expression) - known):
        yield f"nothing in it has a label {', '.join(sorted(nowhere))}"


def labels_of(metric: str, catalogue: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    if metric in catalogue:
        return catalogue[metric]
    for suffix in _OF_A_HISTOGRAM:
        base = metric.removesuffix(suffix)
        if base != metric and base in catalogue:
            return catalogue[base] | ({"le"} if suffix == "_bucket" else frozenset())
    return None
