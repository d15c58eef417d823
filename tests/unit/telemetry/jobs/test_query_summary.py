import pytest
from opentelemetry.sdk.trace import TracerProvider

from telemetry.jobs.query_summary import display_name

tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT a FROM orders WHERE b = ?", "SELECT orders"),
        ('select "orders"."a" \nfrom "orders"', "SELECT orders"),
        ("SELECT count(*) FROM (SELECT 1 FROM reviews) AS x", "SELECT reviews"),
        ("SELECT a FROM public.orders, b", "SELECT public.orders"),
        ("SELECT 1", "SELECT"),
        ("INSERT INTO orders (a) VALUES (?)", "INSERT orders"),
        ("INSERT INTO orders(a) SELECT a FROM other", "INSERT orders"),
        ("UPDATE job_runs SET a = 1 WHERE id IN (SELECT id FROM x)", "UPDATE job_runs"),
        ("DELETE FROM job_runs WHERE id = 1", "DELETE job_runs"),
        ("WITH x AS (SELECT * FROM a) INSERT INTO b SELECT * FROM x", "INSERT b"),
        ("WITH x AS (SELECT * FROM a) SELECT * FROM x", "SELECT a"),
        ("PRAGMA user_version", "PRAGMA"),
        ("(SELECT 1 FROM a)", "SELECT a"),
        ("DELETE", "DELETE"),
    ],
)
def test_a_query_is_called_by_what_it_does_with_which_table(statement, name):
    for attribute in ("db.query.text", "db.statement"):
        assert display_name(tracer.start_span("select /var/a.db", attributes={attribute: statement})) == name


@pytest.mark.parametrize("statement", ["", "  ", "-- nothing", 5])
def test_what_is_no_query_has_the_name_of_its_span(statement):
    assert display_name(tracer.start_span("POST /list", attributes={"db.query.text": statement})) == "POST /list"


def test_a_span_without_attributes_has_its_name():
    assert display_name(tracer.start_span("POST /list")) == "POST /list"
