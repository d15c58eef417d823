import threading
import time
from datetime import datetime, timedelta

import httpx
import pytest
import uvicorn

from service.sandbox.credentials import wb_token
from tests.support.wildberries_sandbox import ORDERS, WildberriesSeller
from tests.unit.service.sandbox.conftest import mount_fake

NEVER = "0001-01-01T00:00:00"
FIELDS = {
    "date": str,
    "lastChangeDate": str,
    "warehouseName": str,
    "warehouseType": str,
    "countryName": str,
    "oblastOkrugName": str,
    "regionName": str,
    "supplierArticle": str,
    "nmId": int,
    "barcode": str,
    "category": str,
    "subject": str,
    "brand": str,
    "techSize": str,
    "incomeID": int,
    "isSupply": bool,
    "isRealization": bool,
    "totalPrice": float,
    "discountPercent": int,
    "spp": int,
    "finishedPrice": float,
    "priceWithDisc": float,
    "isCancel": bool,
    "cancelDate": str,
    "sticker": str,
    "gNumber": str,
    "srid": str,
}


@pytest.fixture
def make_seller(make_environment, make_client, clock):
    return lambda **options: WildberriesSeller(make_environment(wb_limits=False, **options), make_client, clock)


@pytest.fixture
def shop(make_seller):
    return make_seller()


def changed(row):
    return row["lastChangeDate"]


def by_srid(rows):
    return {row["srid"]: row for row in rows}


def test_the_report_is_a_bare_array_of_rows_with_every_field(shop):
    rows = shop.orders()

    assert len(rows) == 400
    for row in rows:
        assert row.keys() == FIELDS.keys()
        assert {name for name, kind in FIELDS.items() if type(row[name]) is not kind} <= {"cancelDate"}
    assert len(by_srid(rows)) == 400


def test_times_are_those_of_moscow_and_say_nothing_of_it(shop):
    rows = shop.orders()

    assert datetime.fromisoformat(changed(rows[-1])).tzinfo is None
    assert "2026-11-24T09:00:00" < changed(rows[-1]) <= "2026-11-24T15:00:00"
    assert all(row["date"] <= changed(row) for row in rows)


def test_the_backlog_is_of_ninety_days(shop):
    oldest = min(row["date"] for row in shop.orders())

    assert oldest.startswith("2026-08-27")


def test_rows_come_in_the_order_in_which_they_changed(shop):
    changes = [changed(row) for row in shop.orders()]

    assert changes == sorted(changes)


def test_the_moment_asked_for_is_included(shop):
    rows = shop.orders()

    assert shop.orders(changed(rows[250])) == rows[250:]


def test_a_page_is_cut_and_goes_on_with_its_last_row(shop, make_seller):
    whole = shop.orders()
    paged = make_seller(wb_orders_page=150)

    first = paged.orders()
    second = paged.orders(changed(first[-1]))

    assert first == whole[:150]
    assert second == whole[149:299]


def test_pages_by_the_last_change_bring_every_order(make_seller):
    shop = make_seller(wb_orders_page=30)
    seen, since, news = {}, "2026-01-01", True

    while news:
        page = by_srid(shop.orders(since))
        news = page.keys() - seen.keys()
        seen |= page
        since = max(changed(row) for row in page.values())

    assert len(seen) == 400


def test_after_the_last_change_there_is_an_empty_array(shop):
    assert shop.orders("2026-11-24T15:00:01") == []


def test_parameters_that_it_does_not_have_are_ignored(shop):
    assert shop.orders("2026-11-01", dateTo="2026-11-02", limit=5, offset=3) == shop.orders("2026-11-01")


@pytest.mark.parametrize(
    "form",
    [
        "2026-11-20",
        "2026-11-20T00:00:00",
        "2026-11-20T00:00:00.12345",
        "2026-11-20T00:00:00.123456789",
        "2026-11-20T00:00:00+03:00",
        "2026-11-19T21:00:00Z",
    ],
)
def test_a_date_is_understood_in_each_of_its_forms(shop, form):
    rows = shop.orders(form)

    assert changed(rows[0]).startswith("2026-11-20")
    assert rows == [row for row in shop.orders() if changed(row) >= "2026-11-20"]


def test_a_part_of_a_second_is_later_than_the_second(shop):
    rows = shop.orders()

    assert shop.orders(f"{changed(rows[250])}.5") == rows[251:]


@pytest.mark.parametrize(
    "form", ["", "yesterday", "20261120", "2026-11-20 00:00:00", "2026-13-01", "1795521600", "9999-12-31T23:59:59Z"]
)
def test_a_date_that_is_none_is_a_400_with_a_string(shop, form):
    answer = shop.client.get(ORDERS, params={"dateFrom": form})

    assert (answer.status_code, answer.json()) == (400, {"errors": "dateFrom: Value not validated"})


@pytest.mark.parametrize(
    ("params", "error"),
    [({}, "dateFrom: field required"), ({"dateFrom": "2026-11-20", "flag": "2"}, "flag: Value not validated")],
)
def test_what_else_is_wrong_is_a_400_with_an_array(shop, params, error):
    answer = shop.client.get(ORDERS, params=params)

    assert (answer.status_code, answer.json()) == (400, {"errors": [error]})


def test_a_flag_asks_for_the_orders_of_a_day_in_moscow_whatever_the_time(shop):
    wanted = by_srid(row for row in shop.orders() if row["date"].startswith("2026-11-20"))

    rows = shop.orders("2026-11-20T13:14:15", flag=1)

    assert by_srid(rows) == wanted != {}


def test_a_day_in_utc_may_be_the_next_one_in_moscow(shop):
    assert shop.orders("2026-11-19T22:00:00Z", flag=1) == shop.orders("2026-11-20", flag=1)


def test_orders_of_a_day_are_not_cut_into_pages(shop, make_seller):
    assert make_seller(wb_orders_page=1).orders("2026-11-20", flag=1) == shop.orders("2026-11-20", flag=1)


def test_some_orders_are_cancelled(make_seller):
    rows = make_seller(wb_orders=2000).orders()

    cancelled = [row for row in rows if row["isCancel"]]

    assert 0.06 < len(cancelled) / len(rows) < 0.1
    assert all(row["date"] < row["cancelDate"] <= changed(row) for row in cancelled)
    assert {row["cancelDate"] for row in rows if not row["isCancel"]} == {NEVER, "", None}


def test_a_cancelled_order_is_the_same_row_changed_later(shop, clock):
    clock.advance(timedelta(minutes=10))
    before = by_srid(shop.orders())

    clock.advance(timedelta(minutes=30))
    after = shop.orders()
    cancelled = [row for row in after if row["isCancel"] and not before.get(row["srid"], row)["isCancel"]]

    assert cancelled
    assert len(by_srid(after)) == len(after)
    for row in cancelled:
        old = before[row["srid"]]
        new = ("isCancel", "cancelDate", "lastChangeDate", "finishedPrice", "priceWithDisc")
        assert {name: row[name] for name in row if name not in new} == {
            name: old[name] for name in old if name not in new
        }
        assert changed(row) > changed(old)
        assert old["cancelDate"] in {NEVER, "", None}
        assert row["cancelDate"] > NEVER


def test_a_fresh_order_has_no_price_yet_and_gets_it_with_a_change(shop, clock):
    clock.advance(timedelta(minutes=30))
    before = by_srid(shop.orders())
    fresh = [row for row in before.values() if row["priceWithDisc"] == 0 and not row["isCancel"]]

    clock.advance(timedelta(hours=2))
    after = by_srid(shop.orders())

    assert fresh
    for row in fresh:
        settled = after[row["srid"]]
        assert row["finishedPrice"] == 0 < settled["finishedPrice"] < settled["priceWithDisc"] <= settled["totalPrice"]
        assert changed(settled) > changed(row)


def test_money_adds_up(shop):
    for row in shop.orders():
        if row["priceWithDisc"]:
            assert row["priceWithDisc"] == pytest.approx(
                row["totalPrice"] * (100 - row["discountPercent"]) / 100, abs=0.01
            )
            assert row["finishedPrice"] == pytest.approx(row["priceWithDisc"] * (100 - row["spp"]) / 100, abs=0.01)


def test_new_orders_come_while_the_world_lives(shop, clock):
    before = by_srid(shop.orders())

    clock.advance(timedelta(minutes=10))
    after = by_srid(shop.orders())

    new = [row for srid, row in after.items() if srid not in before]
    assert before.keys() < after.keys()
    assert len(new) == 40
    assert all(changed(row) > "2026-11-24T15:00:00" for row in new)


def test_changes_that_lie_ahead_are_not_shown(shop, clock):
    now = []
    for _ in range(5):
        clock.advance(timedelta(minutes=7, seconds=11))
        now.append(changed(shop.orders()[-1]) <= (clock.now + timedelta(hours=3)).replace(tzinfo=None).isoformat())

    assert now == [True] * 5


def test_orders_older_than_ninety_days_are_forgotten(make_seller, clock):
    shop = make_seller(wb_orders_every=timedelta(days=1))
    oldest = min(shop.orders(), key=lambda row: row["date"])
    made = datetime.fromisoformat(oldest["date"])

    clock.advance(made + timedelta(days=90, hours=-3) - clock.now.replace(tzinfo=None))
    before = oldest["srid"] in by_srid(shop.orders())
    clock.advance(timedelta(seconds=1))
    after = oldest["srid"] in by_srid(shop.orders())

    assert (before, after) == (True, False)


@pytest.fixture
def served():
    """Serves an application on a real socket; returns its URL."""
    servers = []

    def serve(app):
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield serve
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def test_a_full_page_of_a_large_shop_comes_in_pieces_and_keeps_nobody_else_waiting(make_seller, served):
    url = served(mount_fake(make_seller(wb_orders=5_000, wb_orders_page=4_000).fake))
    call = {"url": ORDERS, "params": {"dateFrom": "2026-01-01"}}
    rows, longest_wait = 0, 0.0

    with (
        httpx.Client(base_url=url, headers={"Authorization": wb_token()}, timeout=30) as client,
        client.stream("GET", **call) as answer,
    ):
        for piece in answer.iter_raw():
            if not rows:
                asked = time.monotonic()
                assert client.get("/wb-statistics/ping").status_code == 200
                longest_wait = time.monotonic() - asked
            rows += piece.count(b'"gNumber"')

    assert "content-length" not in answer.headers
    assert 3_950 < rows <= 4_000  # a name can lie across two pieces
    assert longest_wait < 10
