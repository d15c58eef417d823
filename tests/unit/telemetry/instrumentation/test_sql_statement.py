import time

import pytest

from telemetry.instrumentation.sql_statement import describe_statement


@pytest.mark.parametrize(
    ("statement", "operation"),
    [
        ("SELECT 1", "SELECT"),
        ("select 1", "SELECT"),
        ("\n\t SELECT 1", "SELECT"),
        ("INSERT INTO orders VALUES (1)", "INSERT"),
        ("UPDATE orders SET price = 1", "UPDATE"),
        ("DELETE FROM orders", "DELETE"),
        ("-- the newest\nSELECT 1", "SELECT"),
        ("/* by shop */ SELECT 1", "SELECT"),
        ("/* DELETE\n -- UPDATE */ -- INSERT\n SELECT 1", "SELECT"),
        ("/* a /* nested */ b */ UPDATE orders SET price = 1", "UPDATE"),
        ("/* SQLite does not nest /* them */ UPDATE orders SET price = 1", "UPDATE"),
        ("/* " + "long " * 4000 + " */ INSERT INTO orders VALUES (1)", "INSERT"),
        ("WITH x AS (SELECT '" + "long " * 4000 + "') INSERT INTO orders SELECT 1", "INSERT"),
        ("WITH x AS (SELECT ')' AS p) INSERT INTO orders SELECT * FROM x", "INSERT"),
        ("WITH x AS (SELECT $$)$$) DELETE FROM orders", "DELETE"),
        ("WITH x AS (SELECT $q1$)$q1$) DELETE FROM orders", "DELETE"),
        (r"WITH x AS (SELECT E'\')') DELETE FROM orders", "DELETE"),
        ("WITH x AS (SELECT 'it''s )') DELETE FROM orders", "DELETE"),
        ('WITH x AS (SELECT "a"")" FROM t) DELETE FROM orders', "DELETE"),
        ('WITH "delete" AS (SELECT 1), up AS (SELECT 2) SELECT * FROM "delete", up', "SELECT"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "SELECT"),
        ("(SELECT 1) UNION (SELECT 2)", "SELECT"),
        ("((SELECT 1))", "SELECT"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT"),
        ("WITH a AS (SELECT 1), b AS (DELETE FROM x RETURNING *) INSERT INTO orders SELECT * FROM b", "INSERT"),
        ("with recursive a(n) as (select 1 union all select n + 1 from a) update orders set price = 1", "UPDATE"),
        ("WITH a AS (SELECT (1)) DELETE FROM orders WHERE id IN (SELECT * FROM a)", "DELETE"),
        ("(WITH a AS (SELECT 1) SELECT * FROM a)", "SELECT"),
        ("PRAGMA journal_mode", "PRAGMA"),
        ("CREATE TABLE x (id int)", "CREATE"),
        ("CREATE TABLE x AS SELECT 1", "CREATE"),
        ("BEGIN", "BEGIN"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("VALUES (1)", "VALUES"),
        ("SELECTED", None),
        ("", None),
        ("123", None),
        ("-- nothing but a comment", None),
    ],
)
def test_a_statement_s_operation_is_that_of_its_main_verb(statement, operation):
    assert describe_statement(statement).operation == operation


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("SELECT a FROM orders WHERE b = ?", "SELECT orders"),
        ('select "orders"."a" \nfrom "orders"', "SELECT orders"),
        ("SELECT count(*) FROM (SELECT 1 FROM reviews) AS x", "SELECT SELECT reviews"),
        ("SELECT a FROM public.orders, b c, d AS e", "SELECT public.orders b d"),
        ('SELECT * FROM "song list", `artists`, [labels]', 'SELECT "song list" artists labels'),
        ("SELECT * FROM a LEFT OUTER JOIN (b JOIN c ON 1 = 1) ON 2 = 2", "SELECT a b c"),
        ("SELECT * FROM a JOIN b USING (id), LATERAL (SELECT 1 FROM c) x", "SELECT a b SELECT c"),
        ("SELECT extract(year FROM day), substring(x from 2) FROM t FOR UPDATE SKIP LOCKED", "SELECT t"),
        ("SELECT a IS DISTINCT FROM b FROM c", "SELECT c"),
        ("SELECT * FROM generate_series(1, 2), json_each(a) j, t", "SELECT t"),
        ("SELECT 1", "SELECT"),
        ("INSERT INTO orders (a) VALUES (?)", "INSERT orders"),
        ("INSERT INTO shipping_details (a) SELECT a FROM orders", "INSERT shipping_details SELECT orders"),
        ("INSERT INTO t(a) VALUES (?) ON CONFLICT (a) DO UPDATE SET a = excluded.a RETURNING t.a", "INSERT t"),
        ("INSERT OR IGNORE INTO a VALUES (1)", "INSERT a"),
        ("REPLACE INTO a VALUES (replace(?, 1, 2))", "REPLACE a"),
        ("UPDATE job_runs SET a = 1 WHERE id IN (SELECT id FROM x)", "UPDATE job_runs SELECT x"),
        ("UPDATE ONLY t SET a = b.c FROM b WHERE t.i = b.i", "UPDATE t b"),
        ("DELETE FROM job_runs WHERE id = 1", "DELETE job_runs"),
        ("DELETE FROM a USING b WHERE a.id = b.id", "DELETE a b"),
        ("MERGE INTO a USING b ON x WHEN MATCHED THEN UPDATE SET c = 1", "MERGE a b"),
        ("WITH x AS (SELECT * FROM a) INSERT INTO b SELECT * FROM x", "SELECT a INSERT b SELECT"),
        ("WITH x(n) AS NOT MATERIALIZED (SELECT * FROM a) SELECT * FROM x", "SELECT a SELECT"),
        ("CREATE TABLE IF NOT EXISTS orders (id int)", "CREATE TABLE orders"),
        ("DROP TABLE IF EXISTS orders", "DROP TABLE orders"),
        ("ALTER TABLE orders ADD COLUMN a int", "ALTER TABLE orders"),
        ("TRUNCATE orders", "TRUNCATE orders"),
        ("PRAGMA user_version", "PRAGMA"),
        ("SET search_path TO shop", "SET"),
        ("(SELECT 1 FROM a)", "SELECT a"),
        ("SELECT :update, %(select)s, $1 FROM a WHERE b = :from", "SELECT a"),
        ("SELECT a[1]::int FROM заказы", "SELECT заказы"),
        ("DELETE", "DELETE"),
        ("nonsense", ""),
    ],
)
def test_a_summary_has_the_operations_and_their_tables_in_order(statement, summary):
    assert describe_statement(statement).summary == summary


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'from secret' FROM a",
        "SELECT $tag$ from secret $tag$ FROM a",
        "SELECT $$ from secret $$ FROM a -- from secret",
        "SELECT 'it''s from secret', /* from secret */ 1 FROM a WHERE b = 'secret",
        "SELECT e'secret', x'secret' FROM a",
    ],
)
def test_no_literal_and_no_comment_is_in_a_summary(statement):
    assert describe_statement(statement).summary == "SELECT a"


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("SELECT * FROM orders", "orders"),
        ("SELECT * FROM orders a JOIN orders b ON a.id = b.parent", "orders"),
        ("SELECT * FROM orders, reviews", None),
        ("SELECT 1", None),
    ],
)
def test_a_statement_with_one_table_names_it(statement, table):
    assert describe_statement(statement).table == table


def test_a_long_summary_ends_with_a_whole_word():
    tables = [f"table_number_{number}" for number in range(60)]

    summary = describe_statement(" JOIN ".join(["SELECT a FROM first", *tables])).summary

    assert 200 < len(summary) <= 255
    assert summary.split()[-1] in tables


@pytest.mark.parametrize(
    "part",
    [
        '"',
        "'",
        "`",
        "[",
        "(",
        ")",
        "/*",
        "--",
        "a.",
        "a AS (",
        "$",
        "$a$",
        "%(",
        ":a",
        "a (",
        "/*/",
        "E'\\",
        '""',
        "$a1$",
    ],
)
def test_a_statement_without_end_is_read_in_no_time(part):
    started = time.monotonic()

    describe_statement(f"WITH SELECT {part * 1_000_000}")

    assert time.monotonic() - started < 5
