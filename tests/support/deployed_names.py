"""Names: every metric that a text names, so that one which there is not can be said."""

import re
from collections.abc import Iterator

from deploy.generate.catalogue import JOB, own, whole
from deploy.generate.promql import labels_of
from tests.support.processes import ROOT

PAGES = sorted([*(ROOT / "docs").glob("*/*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
# What a word that begins like one of the service's metrics ends with, if it is one.
_ENDS = "total|seconds|bytes|bucket|sum|count|progress|active|utilization|info|fds|threads|size|capacity|up|overflow"
_WORD = re.compile(rf"\b((?:{'|'.join(sorted({name.split('_')[0] for name in own()}))})_[a-z0-9_]*(?:{_ENDS}))\b(?!\()")
_FIELDS = frozenset({"cpu_seconds"})
"""Columns and fields that begin and end as a metric."""
_ADDED = re.compile(r'^ *\+ +\("(\w+)", ', re.MULTILINE)
_CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)


def chosen(expression: str, interval: str) -> str:
    """An expression of a dashboard as Grafana asks it at first: of the job of the service, and of everything that can be chosen."""
    choices = {"$__rate_interval": interval, "$job_name": ".*", "$job": JOB, "$instance": ".*"}
    for variable, choice in choices.items():
        expression = expression.replace(variable, choice)
    return expression


def wrong(text: str, rules=()) -> Iterator[str]:
    """The words in code that look like a metric's name and are none. A page may name the metric that its own diff adds."""
    catalogue, added = whole(rules), _FIELDS.union(_ADDED.findall(text))
    for code in _CODE.findall(text):
        yield from (word for word in _WORD.findall(code) if word not in added and labels_of(word, catalogue) is None)
