"""Names of metric families: which names the samples of a family take, and another name for a family whose names are taken."""

import logging
from collections.abc import Hashable, Iterator
from typing import Final
from zlib import crc32

from telemetry.metrics.mapping import MetricKind
from telemetry.metrics.prometheus_names import metric_name

RESERVED: Final = frozenset(
    {
        "target_info",
        "telemetry_worker_snapshot_age_seconds",
        # What Prometheus itself records of each target.
        "up",
        "scrape_body_size_bytes",
        "scrape_duration_seconds",
        "scrape_sample_limit",
        "scrape_samples_post_metric_relabeling",
        "scrape_samples_scraped",
        "scrape_series_added",
        "scrape_timeout_seconds",
    }
)
_RESERVED_OWNER: Final = "reserved"
_SUFFIXES: Final[dict[MetricKind, tuple[str, ...]]] = {
    "counter": ("", "_total", "_created"),
    "histogram": ("", "_bucket", "_sum", "_count", "_created"),
    "gauge": ("",),
}
_MAX_SAID: Final = 1000
_said: Final[set[str]] = set()
_log: Final = logging.getLogger(__name__)


def sample_names(name: str, kind: MetricKind) -> list[str]:
    """The names that no other family may have, in either format."""
    base = name.removesuffix("_total") if kind == "counter" else name
    return [f"{base}{suffix}" for suffix in _SUFFIXES[kind]]


class FamilyNames:
    """The families of one page, each under a name that none of the others has."""

    def __init__(self) -> None:
        self._owners: dict[str, Hashable] = {}

    def hold_reserved(self) -> None:
        """Give the reserved names that are still free to nobody."""
        for name in RESERVED:
            self._owners.setdefault(name, _RESERVED_OWNER)

    def take(self, name: str, kind: MetricKind, owner: Hashable) -> bool:
        """Take a name for a family. False if it is another's, or one of its samples would have the name of another's."""
        names = sample_names(name, kind)
        if any(self._owners.get(each, owner) != owner for each in names):
            return False
        self._owners.update(dict.fromkeys(names, owner))
        return True

    def find(self, name: str, kind: MetricKind, owner: Hashable, scope: str = "") -> str:
        """The name itself if it is free; else another one, which depends on nothing but the family, and one warning says so."""
        if self.take(name, kind, owner):
            return name
        found = next(other for other in _other_names(name, kind, owner, scope) if self.take(other, kind, owner))
        if found not in _said and len(_said) < _MAX_SAID:
            _said.add(found)
            _log.warning(
                "The metric %s (%s) of %s is %s on /metrics: another metric has its name. This is logged once.",
                name,
                kind,
                scope or "another worker",
                found,
            )
        return found


def _other_names(name: str, kind: MetricKind, owner: Hashable, scope: str) -> Iterator[str]:
    end = "_total" if kind == "counter" and name.endswith("_total") else ""
    base = name.removesuffix(end)
    if prefix := metric_name(scope).strip("_"):
        yield f"{prefix}_{name}" if not prefix[0].isdigit() else f"app_{prefix}_{name}"
    yield f"{base}_{kind}{end}"
    number = 0
    while True:
        yield f"{base}_{crc32(repr((owner, scope, number)).encode('utf-8', 'replace')):08x}{end}"
        number += 1
