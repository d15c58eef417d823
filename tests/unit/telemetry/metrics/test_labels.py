import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry.metrics import family_names, labels
from telemetry.metrics.labels import translated_labels

KINDS = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    monkeypatch.setattr(labels, "_said", set())
    monkeypatch.setattr(family_names, "_said", set())


class Odd:
    def __str__(self):
        raise RuntimeError("not even a text")

    __repr__ = __str__


ENDLESS = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"a.b": 1, "a_b": 2}, {"a_b": "1;2"}),
        ({"a_b": 2, "a.b": 1}, {"a_b": "1;2"}),
        ({"цена": 1, "склад": "x"}, {"_": "x;1"}),
        ({"": 1}, {"_": "1"}),
        ({1: "a", "b": 2, None: 3}, {"_": "a", "None": "3", "b": "2"}),
        ({"a": True, "b": 1, "c": 1.0}, {"a": "true", "b": "1", "c": "1.0"}),
        ({"a": ENDLESS, "b": Odd(), "c": {(1,): 2}}, {"a": "[[...]]", "b": '"<Odd>"', "c": "{(1,): 2}"}),
        ({"__name__": "a", "le": "b"}, {"_name_": "a", "le": "b"}),
    ],
)
def test_any_attributes_are_labels(attributes, expected):
    assert translated_labels(attributes) == expected


def test_le_of_a_histogram_is_another_label():
    assert translated_labels({"le": "x", "exported_le": "y"}, has_buckets=True) == {"exported_le": "y;x"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({"a.b": 1, "a_b": 2}, {"a_b": "1;2"}),
        ({"цена": 1, "склад": 2}, {"_": "2;1"}),
        ({"le": "x"}, {"le": "x"}),
        ({"quantile": "0.5"}, {"quantile": "0.5"}),
        ({"a": '\ud800\0\n\\"'}, {"a": '\ufffd\0\n\\"'}),
    ],
)
def test_a_label_that_attributes_share_is_valid_and_said_once(stage, caplog, kind, attributes, shown):
    instrument = getattr(stage.meter, f"create_{kind}")("eggs")
    for _ in range(2):
        getattr(instrument, KINDS[kind])(1, attributes)

    text = [*parse_text(stage.text())]
    openmetrics = [*parse_openmetrics(stage.page.render("application/openmetrics-text; version=1.0.0")[0].decode())]

    if kind == "histogram" and "le" in attributes:
        shown = {"exported_le": "x"}
    for families in (text, openmetrics):
        samples = [sample for family in families if family.name == "eggs" for sample in family.samples]
        assert samples
        assert all(sample.labels.items() >= shown.items() for sample in samples)
    is_said = len(shown) < len(attributes) or "exported_le" in shown
    assert [record.levelname for record in caplog.records] == ["WARNING"] * is_said


def test_true_1_and_1_0_are_three_series(stage):
    for name, method in KINDS.items():
        instrument = getattr(stage.meter, f"create_{name}")(name)
        for value in (True, 1, 1.0):
            getattr(instrument, method)(2, {"a": value})

    expected = {(("a", value),): 2.0 for value in ("true", "1", "1.0")}
    for sample in ("counter_total", "up_down_counter", "histogram_sum", "gauge"):
        assert stage.series(sample) == expected


@pytest.mark.parametrize("value", [True, 5, "hunter2", "[hidden token]", ["a"]])
@pytest.mark.parametrize("name", ["token", "password", "a.secret"])
def test_what_has_a_secret_as_its_attribute_is_measured(stage, caplog, name, value):
    counter = stage.meter.create_counter("eggs")
    for _ in range(3):
        counter.add(1, {name: value})

    [(labels, count)] = stage.series("eggs_total").items()
    assert count == 3
    assert "hunter2" not in str(labels)
    assert not caplog.records


def test_no_gauge_hides_another(stage):
    one, other = (stage.meters.get_meter(scope).create_gauge("level") for scope in ("one", "other"))
    one.set(1)
    other.set(2)
    one.set(3, {"a": "1"})
    one.set(4, {"a": 1})
    one.set(5, {"цена": "x"})
    one.set(6, {"склад": "x"})

    assert sorted(stage.series("level").values()) == [1, 2, 3, 4, 5, 6]
    assert stage.series("level")[()] == 1
    assert stage.series("level")[(("otel_scope_name", "other"),)] == 2


def test_gauges_of_one_name_and_several_units_are_all_shown(stage):
    for number in range(5):
        stage.meter.create_gauge("level", f"{{{number}}}").set(number)

    assert sorted(stage.series("level").values()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["http.requests"], {"tests_http_requests_total": 1}),
        (["app.errors", "errors"], {"tests_errors_total": 2}),
        (["a.b", "a_b", "a-b"], {"a_b_total": 2, "tests_a_b_total": 3, "a_b_counter_total": 1}),
    ],
)
def test_a_counter_whose_name_is_taken_has_another_and_it_is_said_once(stage, caplog, names, expected):
    for number, name in enumerate(names, 1):
        stage.meter.create_counter(name).add(number)

    for _ in range(2):
        assert {name: sum(stage.series(name).values()) for name in expected} == expected
    renamed = sum(name.startswith("tests_") or "_counter_" in name for name in expected)
    assert len(caplog.records) == renamed


@pytest.mark.parametrize(
    "name", ["up", "scrape.duration", "target.info", "app_info", "http_requests_created", "http.requests"]
)
def test_a_gauge_does_not_take_the_name_of_another_metric(stage, name):
    unit = "s" if name == "scrape.duration" else ""
    stage.meter.create_gauge(name, unit).set(7)

    taken = name.replace(".", "_") + ("_seconds" if unit else "")
    assert stage.series(f"tests_{taken}") == {(): 7}
    assert 7 not in stage.series(taken).values()


@pytest.mark.parametrize("suffix", ["", "_total", "_bucket", "_sum", "_count", "_created", "_info"])
@pytest.mark.parametrize("first", [True, False])
def test_no_suffix_makes_the_page_invalid(stage, suffix, first):
    def gauge():
        stage.meter.create_gauge(f"eggs{suffix}").set(7)

    if first:
        gauge()
    stage.meter.create_histogram("eggs").record(2)
    stage.meters.get_meter("other").create_counter("eggs").add(3)
    if not first:
        gauge()

    page = stage.page.render("application/openmetrics-text; version=1.0.0")[0].decode()
    samples = [sample for family in parse_openmetrics(page) if "eggs" in family.name for sample in family.samples]
    assert sorted(sample.value for sample in samples if "le" not in sample.labels) == [1, 2, 3, 7]
