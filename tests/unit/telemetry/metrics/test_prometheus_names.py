"""Names for Prometheus: the same as those of the published exporter."""

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.prometheus import _mapping

from telemetry.metrics.prometheus_names import label_name, metric_name, unit_suffix

UNITS = st.sampled_from(
    ["", "1", "s", "ms", "By", "m/s", "By/s", "{run}", "{run}/s", "/s", "%", "Cel/min", "//", "a b/c"]
)
TEXT = st.text(alphabet="aZ09_:./{}-% é", max_size=12)


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_names_are_those_of_the_exporter(name):
    assert metric_name(name) == _mapping.sanitize_full_name(name)
    assert label_name(name) == _mapping.sanitize_attribute(name)


@settings(max_examples=40, deadline=None)
@given(UNITS | st.sampled_from(sorted(_mapping._UNIT_MAPPINGS)) | TEXT)
def test_units_are_those_of_the_exporter(unit):
    assert unit_suffix(unit) == _mapping.map_unit(unit)
