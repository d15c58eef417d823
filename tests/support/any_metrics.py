"""Whatever an application may measure: instruments of all kinds with any names, units, descriptions, attributes and values."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from hypothesis import strategies as st
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

ADDED: Final = {"counter": "add", "up_down_counter": "add", "histogram": "record"}
KINDS: Final = (*ADDED, "gauge", "observable_counter", "observable_up_down_counter", "observable_gauge")
_ODD_TEXTS: Final = (
    "",
    "a",
    "A",
    "a b",
    '"',
    "\\",
    "\n",
    "\r",
    "\0",
    "\ud800",
    "цена",
    "склад",
    "é",
    "1",
    "1;2",
    "#",
    "{}",
    ",",
    "😀",
)
_NAMES: Final = (
    *(
        "a",
        "A",
        "a.b",
        "a_b",
        "a-b",
        "a/b",
        "a__b",
        "http.requests",
        "http.request.duration",
        "up",
        "target",
        "target.info",
    ),
    *(
        "a_total",
        "a.bucket",
        "a_sum",
        "a.count",
        "a_info",
        "a.created",
        "a_seconds",
        "a_seconds_total",
        "total",
        "errors",
    ),
    *("app_info", "scrape_duration", "db_connections_active", "telemetry_queue_size", "process_start_time"),
    *("telemetry_worker_snapshot_age", "a_counter", "tests_a", "a_gauge"),
)
_KEYS: Final = (
    *_ODD_TEXTS,
    "a.b",
    "a_b",
    "le",
    "quantile",
    "__name__",
    "job",
    "instance",
    "worker",
    "1a",
    "exported_le",
    "otel.scope.name",
)
_VALUES: Final = (
    *(True, 1, 1.0, 0, False, None, 2.5, 2**70, b"\xff", float("nan"), float("inf")),
    *([1, "a", None], {"a": {"b": 1}}, {1: "a", "b": 2}, ("x",)),
)

names = st.sampled_from(_NAMES) | st.from_regex(r"[a-zA-Z][a-zA-Z0-9_./-]{0,12}", fullmatch=True)
texts = st.sampled_from(_ODD_TEXTS) | st.text(max_size=8) | st.text(st.characters(codec=None), max_size=5)
units = st.sampled_from(
    ("", "1", "s", "ms", "By", "By/s", "{order}", "%", "m/s", "!!", "/", "s/", "a:b", "total", "bucket")
) | st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=8)
attributes = st.dictionaries(st.sampled_from(_KEYS) | texts, st.sampled_from(_VALUES) | texts, max_size=4)
values = st.integers(0, 10**9)
bounds = st.none() | st.lists(st.floats() | st.integers(-(2**60), 2**60), max_size=4)
points = st.lists(st.tuples(values, attributes), min_size=1, max_size=4)
instruments = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "scope": st.sampled_from(("tests", "a", "a.b", "1", "цена", "__main__")),
        "name": names,
        "unit": units,
        "description": texts,
        "bounds": bounds,
        "points": points,
    }
)
applications = st.lists(instruments, min_size=1, max_size=8)


def measure(meters: MeterProvider, application: Iterable[dict[str, Any]]) -> Counter[str]:
    """Measure all of it. Returns the ground truth: the sum of what was added, recorded and set, by the kind of its family."""
    truth: Counter[str] = Counter()
    seen: set[tuple[str, str, str]] = set()
    for each in application:
        identity = (each["scope"], each["name"].lower(), each["kind"])
        if identity in seen:  # the SDK has rules of its own for a second instrument of one name and kind
            continue
        seen.add(identity)
        truth[_family_kind(each["kind"])] += _measure(meters, each)
    return truth


def _measure(meters: MeterProvider, each: dict[str, Any]) -> int:
    meter, words = meters.get_meter(each["scope"]), (each["unit"], each["description"])
    kind, points = each["kind"], _last_of_each_set(each["points"]) if each["kind"] not in ADDED else each["points"]
    if kind.startswith("observable"):
        getattr(meter, f"create_{kind}")(each["name"], [_callback(points)], *words)
    elif kind == "gauge":
        gauge = meter.create_gauge(each["name"], *words)
        for value, attributes in points:
            gauge.set(value, attributes)
    else:
        more = {"explicit_bucket_boundaries_advisory": each["bounds"]} if kind == "histogram" else {}
        instrument = getattr(meter, f"create_{kind}")(each["name"], *words, **more)
        for value, attributes in points:
            getattr(instrument, ADDED[kind])(value, attributes)
    return sum(value for value, _ in points)


def _last_of_each_set(points: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """Of equal attribute sets the last value is the one that counts. An empty name is none to OpenTelemetry."""
    return [*{repr(_as_measured(each)): (value, each) for value, each in points}.values()]


def _as_measured(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((name, repr(value)) for name, value in attributes.items() if name)


def _callback(points: list[tuple[int, dict[str, Any]]]) -> Callable[[CallbackOptions], list[Observation]]:
    return lambda _options: [Observation(value, attributes) for value, attributes in points]


def _family_kind(kind: str) -> str:
    return {"counter": "counter", "observable_counter": "counter", "histogram": "histogram"}.get(kind, "gauge")
