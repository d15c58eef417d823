import pytest
from sqlalchemy import make_url

from telemetry.environment.prepared_statements import prepare_threshold

POSTGRESQL = "postgresql+psycopg://h/d"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", {}),
        ("?connect_timeout=3", {}),
        ("?prepare_threshold=0", {"prepare_threshold": 0}),
        ("?prepare_threshold=17", {"prepare_threshold": 17}),
        ("?prepare_threshold=none", {"prepare_threshold": None}),
        ("?prepare_threshold=None", {"prepare_threshold": None}),
        ("?prepare_threshold=null", {"prepare_threshold": None}),
        ("?prepare_threshold=1&prepare_threshold=none", {"prepare_threshold": None}),
    ],
)
def test_the_parameter_of_the_url_is_that_of_the_driver(query, parameter):
    assert prepare_threshold(make_url(f"{POSTGRESQL}{query}")) == parameter


@pytest.mark.parametrize("text", ["-1", "1.5", "often", "false", "٣"])
def test_another_value_is_refused(text):
    with pytest.raises(ValueError, match="prepare_threshold must be"):
        prepare_threshold(make_url(POSTGRESQL).update_query_dict({"prepare_threshold": text}))
