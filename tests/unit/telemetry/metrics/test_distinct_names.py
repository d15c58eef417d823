"""Each metric keeps its own sums and one name on the page of several workers, whatever the order in which these made them."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry.metrics.exposition import encode
from telemetry.metrics.families import Translator
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.multiprocess.merge import merge
from telemetry.metrics.multiprocess.snapshot import Snapshot
from telemetry.metrics.reader import FamilyReader

RECORD = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}
DEFAULT = {"kind": "counter", "name": "a.b", "unit": "", "scope": "one", "attributes": {}}


def of(**differs):
    return DEFAULT | differs


COLLISIONS = {
    "names": [of(), of(name="a_b"), of(name="a-b")],
    "suffix": [of(name="a"), of(name="a.total"), of(name="a_total")],
    "units": [of(unit="By"), of(name="a.b.bytes"), of(name="a_b", unit="By")],
    "annotations": [of(unit="{hit}"), of(name="a_b", unit="{item}"), of(name="a/b", unit="1")],
    "kinds": [of(kind=kind) for kind in RECORD],
    "samples": [of(kind="histogram"), of(name="a.b.count"), of(name="a_b_sum", kind="gauge"), of(name="a_b_bucket")],
    "scopes": [of(scope=scope, name=name) for scope in ("one", "other") for name in ("a.b", "a_b")],
    "no scope": [of(scope="1.x"), of(name="a_b", scope="цена"), of(name="a-b", scope="")],
    "contract": [of(name="app.errors"), of(name="app_errors"), of(name="up", kind="gauge"), of(name="target.info")],
    "other names": [of(), of(name="a_b"), of(name="one_a_b"), of(name="a_b_counter")],
    "labels": [
        of(kind=kind, attributes=each) for kind in RECORD for each in ({"a.b": "x"}, {"a_b": "x"}, {"a-b": "x"})
    ],
    "values": [of(kind=kind, attributes={"a": each}) for kind in RECORD for each in (True, "true", 1, "1", 1.0)],
    "gauges": [of(kind="gauge", scope=scope, unit=unit) for scope in ("one", "other") for unit in ("", "{x}", "1")],
    "gauges with labels of ours": [
        of(kind="gauge", scope=scope, attributes={"otel.scope.name": "one"}) for scope in ("one", "other", "third")
    ],
    "modes": [of(kind="gauge"), of(kind="up_down_counter"), of(kind="gauge", name="a_b")],
    "buckets": [of(kind="histogram", attributes={name: "x"}) for name in ("le", "exported_le", "exported.le")],
}


class Process:
    """A worker: what it measures, and its snapshot as others read it."""

    def __init__(self, number=0, now=1.0):
        self.now, self.number = now, number
        self.reader = FamilyReader(translator=Translator(clock=lambda: self.now))
        self.provider = MeterProvider([self.reader], Resource({}), shutdown_on_exit=False)
        self.meters = LimitedMeterProvider(self.provider)

    def measure(self, uses):
        for position, use in uses:
            create = getattr(self.meters.get_meter(use["scope"]), f"create_{use['kind']}")
            getattr(create(use["name"], use["unit"]), RECORD[use["kind"]])(2**position, use["attributes"])
        return self

    def snapshot(self):
        made = Snapshot(str(self.number), self.number, self.reader.collect_own())
        return Snapshot.decode(made.encode())

    def end(self):
        self.provider.shutdown()


@pytest.fixture
def process():
    made = []

    def make(*args, **kwargs):
        made.append(Process(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.end()


def page(live, dead=()):
    """The value of each series that an application has measured, by its name and labels."""
    found = {}
    for family in parse_text(encode(merge(live, dead)).decode()):
        for sample in family.samples:
            series = sample.name, *sorted(sample.labels.items())
            assert series not in found
            found[series] = sample.value
    return found


@pytest.mark.parametrize("uses", COLLISIONS.values(), ids=COLLISIONS)
def test_the_page_does_not_depend_on_the_order_in_which_workers_made_their_instruments(process, uses):
    numbered = [*enumerate(uses)]
    expected = page([process(number).measure(numbered).snapshot() for number in range(2)])

    for order in (numbered[::-1], numbered[1:] + numbered[:1], numbered[1::2] + numbered[::2]):
        one, other = process(0).measure(numbered), process(1).measure(order)
        assert page([one.snapshot(), other.snapshot()]) == expected


@pytest.mark.parametrize("uses", COLLISIONS.values(), ids=COLLISIONS)
def test_workers_that_have_a_part_of_the_instruments_each_add_to_the_same_series(process, uses):
    numbered = [*enumerate(uses)]
    whole = page([process().measure(numbered).snapshot()])

    for cut in range(1, len(numbered)):
        parts = [process(0).measure(numbered[cut:]), process(1).measure(numbered[:cut])]
        one, other = (part.snapshot() for part in parts)
        assert page([one, other]) == whole
        if all(use["kind"] in ("counter", "histogram") for use in uses):
            assert page([one], [other]) == whole


def test_a_counter_never_takes_the_name_of_one_that_was_shown_before_it(process):
    early, late = process(0, now=1.0), process(1, now=2.0)
    early.measure([(3, of(name="a_b"))])
    assert page([early.snapshot(), late.snapshot()])["a_b_total",] == 8

    late.measure([(0, of(name="a-b")), (1, of(name="a.b"))])
    shown = page([late.snapshot(), early.snapshot()])
    early.now = 3.0
    early.measure([(4, of(name="a.b"))])

    assert shown["a_b_total",] == 8
    assert page([late.snapshot(), early.snapshot()]) == shown | {("a_b_counter_total",): 18}
    assert (shown["one_a_b_total",], shown["a_b_counter_total",]) == (1, 2)


def test_the_archive_keeps_which_metric_was_first(process):
    dead, live = process(0, now=1.0), process(1, now=2.0)
    dead.measure([(0, of(name="a_b"))])
    live.measure([(1, of())])

    archived = Snapshot("", 1.0, merge([], [dead.snapshot()]))

    assert {name: value for (name, *_), value in page([live.snapshot()], [archived]).items() if "a_b" in name} == {
        "a_b_total": 1,
        "one_a_b_total": 2,
    }
