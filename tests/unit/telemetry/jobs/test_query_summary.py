import pytest
from opentelemetry.sdk.trace import TracerProvider

from telemetry.jobs.query_summary import display_name

tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT a FROM orders WHERE b = ?", "SELECT orders"),
        ("INSERT INTO orders(a) SELECT a FROM other", "INSERT orders SELECT other"),
        ("PRAGMA user_version", "PRAGMA"),
        ("DELETE", "DELETE"),
    ],
)
def test_a_query_is_called_by_what_it_does_with_which_table(statement, name):
    for attribute in ("db.query.text", "db.statement"):
        assert display_name(tracer.start_span("select /var/a.db", attributes={attribute: statement})) == name


def test_the_summary_of_the_conventions_takes_precedence():
    attributes = {"db.query.summary": "get orders of a customer", "db.query.text": "SELECT a FROM orders"}

    assert display_name(tracer.start_span("select /var/a.db", attributes=attributes)) == "get orders of a customer"


@pytest.mark.parametrize("statement", ["", "  ", "-- nothing", 5])
def test_what_is_no_query_has_the_name_of_its_span(statement):
    assert display_name(tracer.start_span("POST /list", attributes={"db.query.text": statement})) == "POST /list"


def test_a_span_without_attributes_has_its_name():
    assert display_name(tracer.start_span("POST /list")) == "POST /list"
