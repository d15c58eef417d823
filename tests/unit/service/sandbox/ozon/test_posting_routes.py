import base64
import json
from collections import Counter
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from service.sandbox.ozon.fake import OzonFake
from tests.unit.service.sandbox.conftest import HandClock, OzonSeller, environment_of, mount_fake

FBS, FBO = "/v4/posting/fbs/list", "/v3/posting/fbo/list"
BOTH = pytest.mark.parametrize(("path", "scheme"), [(FBS, "fbs"), (FBO, "fbo")])
ALWAYS = {"since": "2026-09-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}
ALL_PARTS = {"analytics_data": True, "barcodes": True, "financial_data": True, "legal_info": True}


@pytest.fixture(scope="module")
def seller():
    """One for all tests, of a shop whose clock stands still: no method changes a posting."""
    clock = HandClock()
    fake = OzonFake(environment_of(clock, ozon_per_second=1e6), clock.seconds)
    with TestClient(mount_fake(fake)) as client:
        yield OzonSeller(fake, client)


def every_page(seller, path, **body):
    pages, cursor = [], ""
    while True:
        answer = seller(path, {"filter": ALWAYS, "limit": 100, "cursor": cursor} | body).json()
        pages.append(answer["postings"])
        if not answer["has_next"]:
            return pages
        cursor = answer["cursor"]
        assert len(pages) < 100


def found(seller, path, parts=None, **filters):
    pages = every_page(seller, path, filter=ALWAYS | filters, **{"with": parts or {}})
    return [posting for page in pages for posting in page]


def numbers(postings):
    return [posting["posting_number"] for posting in postings]


def true_statuses(seller, scheme):
    return {
        true["posting_number"]: true["status"]
        for true in seller.fake.expected_state("orders")
        if true["scheme"] == scheme
    }


def test_most_postings_are_from_the_sellers_own_stock(seller):
    schemes = Counter(true["scheme"] for true in seller.fake.expected_state("orders"))

    assert schemes.total() == 240
    assert 0.5 < schemes["fbs"] / 240 < 0.7


@BOTH
def test_pages_follow_each_other_by_cursor_and_hold_all_there_is(seller, path, scheme):
    pages = every_page(seller, path, limit=30)

    listed = {posting["posting_number"]: posting["status"] for page in pages for posting in page}
    assert {len(page) for page in pages[:-1]} == {30}
    assert listed == true_statuses(seller, scheme)
    assert sum(map(len, pages)) == len(listed)


@BOTH
def test_the_postings_are_at_the_root_and_the_cursor_is_a_keyset(seller, path, scheme):
    answer = seller(path, {"filter": ALWAYS, "limit": 10}).json()

    assert set(answer) == {"cursor", "has_next", "postings"}
    fields = json.loads(base64.b64decode(answer["cursor"]))["fields"]
    assert [field["name"] for field in fields] == ["in_process_at", "id"]
    assert fields[0]["value"] == answer["postings"][-1]["in_process_at"]


@BOTH
def test_the_last_cursor_is_not_empty_and_begins_again(seller, path, scheme):
    last = seller(path, {"filter": ALWAYS | {"since": "2026-11-15T00:00:00Z"}, "limit": 100}).json()

    again = seller(path, {"filter": ALWAYS, "limit": 5, "cursor": last["cursor"]}).json()

    assert (last["has_next"], last["cursor"]) == (False, "eyJmaWVsZHMiOltdfQ==")
    assert again == seller(path, {"filter": ALWAYS, "limit": 5}).json()


@BOTH
def test_the_newest_come_first_when_they_are_asked_for_so(seller, path, scheme):
    forwards = numbers(found(seller, path))

    pages = every_page(seller, path, limit=40, sort_dir="desc")

    assert numbers(posting for page in pages for posting in page) == forwards[::-1]


@pytest.mark.parametrize("cursor", ["?", "e30=", "W10=", "eyJmaWVsZHMiOlsxXX0=", "eyJmaWVsZHMiOlt7fSx7fV19"])
def test_a_cursor_that_nobody_gave_is_invalid(seller, cursor):
    answer = seller(FBS, {"filter": ALWAYS, "limit": 10, "cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize(("path", "limit"), [(FBS, 0), (FBS, 101), (FBS, None), (FBO, 0), (FBO, 1001)])
def test_a_limit_out_of_its_range_is_invalid(seller, path, limit):
    answer = seller(path, {"filter": ALWAYS, "limit": limit})

    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert "Limit: value must be inside range [1, 100" in answer.json()["message"]


@BOTH
@pytest.mark.parametrize(
    "period", [None, {}, {"since": ALWAYS["since"]}, {"to": ALWAYS["to"]}, {"since": "2026-11-01", "to": ALWAYS["to"]}]
)
def test_a_period_is_required(seller, path, scheme, period):
    answer = seller(path, {"filter": period, "limit": 10})

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@BOTH
def test_a_period_longer_than_a_year_is_too_long(seller, path, scheme):
    year = {"since": "2025-12-31T00:00:00Z", "to": "2026-12-31T00:00:00Z"}
    longer = year | {"since": "2025-12-29T00:00:00Z"}

    assert seller(path, {"filter": year, "limit": 10}).status_code == 200
    refused = seller(path, {"filter": longer, "limit": 10})

    assert (refused.status_code, refused.json()["code"]) == (400, 3)
    assert refused.json()["message"] == "PERIOD_IS_TOO_LONG"


@BOTH
def test_a_period_that_ends_before_it_begins_is_invalid(seller, path, scheme):
    backwards = {"since": ALWAYS["to"], "to": ALWAYS["since"]}

    assert seller(path, {"filter": backwards, "limit": 10}).json()["code"] == 3


@BOTH
def test_the_period_is_of_the_moment_a_posting_was_taken_up_at_and_holds_its_ends(seller, path, scheme):
    everything = found(seller, path)
    first, last = everything[10], everything[20]
    assert first["in_process_at"] < last["in_process_at"]

    within = found(seller, path, since=first["in_process_at"], to=last["in_process_at"])

    assert numbers(within) == numbers(everything[10:21])


@BOTH
@pytest.mark.parametrize("status", ["delivering", "delivered", "cancelled"])
def test_postings_are_found_by_status(seller, path, scheme, status):
    expected = [number for number, true in true_statuses(seller, scheme).items() if true == status]

    assert numbers(found(seller, path, statuses=[status])) == expected


@BOTH
def test_a_status_that_does_not_exist_is_invalid(seller, path, scheme):
    answer = seller(path, {"filter": ALWAYS | {"statuses": ["lost"]}, "limit": 10})

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_the_sellers_own_scheme_knows_statuses_that_ozons_does_not(seller):
    wanted = {"filter": ALWAYS | {"statuses": ["driver_pickup"]}, "limit": 10}

    assert (seller(FBS, wanted).status_code, seller(FBO, wanted).status_code) == (200, 400)


@BOTH
def test_one_order_may_have_two_postings_and_is_found_by_its_number(seller, path, scheme):
    orders = Counter(posting["order_number"] for posting in found(seller, path))
    [(split, parts)] = orders.most_common(1)

    postings = found(seller, path, order_numbers=[split])

    assert parts == 2
    assert numbers(postings) == [f"{split}-1", f"{split}-2"]
    assert len({posting["order_id"] for posting in postings}) == 1


def test_postings_of_the_sellers_own_stock_are_found_by_order_and_by_where_they_go_through(seller):
    everything = found(seller, FBS)
    some = everything[3]
    method = some["delivery_method"]

    def having(key, value):
        return [posting for posting in everything if posting["delivery_method"][key] == value]

    assert found(seller, FBS, order_id=some["order_id"]) == [
        posting for posting in everything if posting["order_id"] == some["order_id"]
    ]
    assert found(seller, FBS, delivery_method_ids=[method["id"]]) == having("id", method["id"])
    assert found(seller, FBS, warehouse_ids=[method["warehouse_id"]]) == having("warehouse_id", method["warehouse_id"])
    assert len(having("id", method["id"])) < len(everything)
    assert found(seller, FBS, provider_ids=[1]) == []


def test_postings_of_ozons_stock_are_found_by_their_number(seller):
    wanted = numbers(found(seller, FBO))[5:7]

    assert numbers(found(seller, FBO, posting_numbers=wanted)) == wanted


def test_what_changed_since_is_found_by_the_moment_of_the_last_change(make_ozon, clock):
    seller = make_ozon(ozon_postings_every=timedelta(hours=1))
    before = true_statuses(seller, "fbs")
    left = clock.now
    clock.advance(timedelta(days=1))
    after = true_statuses(seller, "fbs")
    arrived = clock.now

    since = found(seller, FBS, last_changed_status_date={"from": left.isoformat(), "to": arrived.isoformat()})
    earlier = found(seller, FBS, last_changed_status_date={"to": (left - timedelta(seconds=1)).isoformat()})

    assert set(numbers(since)) == {number for number in after if after[number] != before.get(number)}
    assert any(number in before for number in numbers(since))
    assert set(numbers(since)).isdisjoint(numbers(earlier))
    assert len(since) + len(earlier) == len(after)


def test_a_posting_moves_on_one_step_after_the_other_and_one_in_ten_is_cancelled(make_ozon, clock):
    seller = make_ozon(ozon_postings=0, ozon_postings_every=timedelta(minutes=10))
    ends = {"delivered", "cancelled", "cancelled_from_split_pending"}
    order = ["awaiting_verification", "awaiting_packaging", "awaiting_deliver", "not_accepted", "delivering"]
    order += ["delivered", "cancelled", "cancelled_from_split_pending"]
    clock.advance(timedelta(hours=80))
    before = {true["posting_number"]: true["status"] for true in seller.fake.expected_state("orders")}
    seen = Counter(before.values())

    for hours in (1, 6, *[48] * 6):
        clock.advance(timedelta(hours=hours))
        now = {true["posting_number"]: true["status"] for true in seller.fake.expected_state("orders")}
        assert all(order.index(now[number]) >= order.index(status) for number, status in before.items())
        assert not any(before[number] == "delivered" != now[number] for number in before)
        seen.update(now.values())
        before = now

    assert set(seen) == set(order)
    ended = Counter(list(before.values())[: 6 * 80])
    assert set(ended) == ends
    assert 0.05 < ended["cancelled"] / ended.total() < 0.15


def test_a_fresh_posting_is_to_be_packed_or_verified(make_ozon, clock):
    seller = make_ozon(ozon_postings=0)
    clock.advance(timedelta(minutes=2))

    fresh = {true["status"] for true in seller.fake.expected_state("orders")}
    assert "awaiting_packaging" in fresh
    assert fresh <= {"awaiting_packaging", "awaiting_verification", "cancelled_from_split_pending"}


def test_a_split_posting_goes_on_with_the_same_products_in_its_part(seller):
    postings = {posting["posting_number"]: posting for posting in found(seller, FBS)}

    parts = [posting for posting in postings.values() if posting["parent_posting_number"]]
    assert parts
    for part in parts:
        whole = postings[part["parent_posting_number"]]
        assert (whole["status"], whole["substatus"]) == ("cancelled_from_split_pending", "posting_canceled")
        assert (whole["order_id"], whole["products"]) == (part["order_id"], part["products"])


@pytest.mark.parametrize(
    ("path", "limit", "status"), [(FBO, 100, 200), (FBO, 101, 400), (FBS, 101, 400), (FBO, 0, 400)]
)
def test_a_page_holds_100_postings_at_most(seller, path, limit, status):
    period = {"since": "2026-09-25T00:00:00Z", "to": "2026-11-25T00:00:00Z"}

    assert seller(path, {"filter": period, "limit": limit}).status_code == status


def test_the_moment_of_delivery_is_told_once_it_has_come(seller):
    postings = found(seller, FBS)

    under_way = [posting for posting in postings if posting["status"] in ("delivering", "delivered")]
    not_yet = [posting for posting in postings if posting["status"].startswith("awaiting")]
    assert not_yet
    assert {posting["delivering_date"] for posting in not_yet} == {None}
    for posting in under_way:
        assert datetime.fromisoformat(posting["delivering_date"]) > datetime.fromisoformat(posting["shipment_date"]) - (
            timedelta(days=2)
        )


@BOTH
def test_a_price_is_an_object_and_some_postings_have_several_products(seller, path, scheme):
    postings = found(seller, path)
    products = [product for posting in postings for product in posting["products"]]

    assert {len(posting["products"]) for posting in postings} >= {1, 2}
    assert {product["quantity"] for product in products} >= {1, 2}
    for product in products:
        assert product["price"]["currency"] == "RUB"
        assert product["price"]["amount"].endswith(".00")
        assert isinstance(product["sku"], int)


@BOTH
def test_a_posting_that_is_paid_late_was_not_taken_up(seller, path, scheme):
    late = [posting for posting in found(seller, path) if posting["in_process_at"] is None]

    assert 0 < len(late) < 30


@BOTH
@pytest.mark.parametrize("part", ["analytics_data", "financial_data", "legal_info"])
def test_a_part_that_was_not_asked_for_is_null_and_one_that_was_may_be(seller, path, scheme, part):
    without = found(seller, path, {**ALL_PARTS, part: False})
    asked = found(seller, path, {part: True})

    assert {posting[part] for posting in without} == {None}
    assert {posting[part] is None for posting in asked} == {True, False}


@BOTH
def test_what_is_asked_for_does_not_change_the_rest(seller, path, scheme):
    bare, full = found(seller, path), found(seller, path, ALL_PARTS)

    for posting, whole in zip(bare, full, strict=True):
        assert {name for name in posting if posting[name] != whole[name]} <= set(ALL_PARTS)
    assert bare != full


def test_a_posting_of_the_sellers_own_stock_has_the_known_fields(seller):
    postings = found(seller, FBS, ALL_PARTS)

    assert set(postings[0]) == {
        "posting_number", "order_id", "order_number", "status", "substatus", "in_process_at", "shipment_date",
        "shipment_date_without_delay", "delivering_date", "delivery_method", "delivery_schema", "integration_type_flow",
        "tpl_integration_type", "tracking_number", "scanit", "products", "cancellation", "financial_data",
        "analytics_data", "available_actions", "barcodes", "customer", "addressee", "legal_info", "requirements",
        "tariffication", "tariffication_steps", "container", "external_order", "optional", "sorting_center",
        "is_express", "is_multibox", "is_presortable", "is_click_and_collect", "multi_box_qty", "parent_posting_number",
        "pickup_code_verified_at", "prr_option", "quantum_id", "require_blr_traceable_attrs", "destination_place_id",
        "destination_place_name", "container_sort_type", "volume_weight",
    }  # fmt: skip
    assert {tuple(sorted(posting)) for posting in postings} == {tuple(sorted(postings[0]))}
    assert postings[0]["barcodes"]["lower_barcode"] == str(postings[0]["order_id"])
    assert found(seller, FBS)[0]["barcodes"] is None


def test_a_posting_of_ozons_stock_has_the_known_fields(seller):
    postings = found(seller, FBO, ALL_PARTS)

    assert {tuple(posting) for posting in postings} == {
        (
            "posting_number", "order_id", "order_number", "status", "substatus", "in_process_at", "created_at",
            "cancel_reason_id", "cancellation", "products", "analytics_data", "financial_data", "legal_info",
            "external_order", "additional_data",
        )
    }  # fmt: skip


def test_some_postings_tell_of_their_buyer_and_most_do_not(seller):
    postings = found(seller, FBS)
    told = [posting for posting in postings if posting["customer"]]

    assert 0.2 < len(told) / len(postings) < 0.6
    assert {posting["addressee"] is None for posting in postings if not posting["customer"]} == {True}
    for posting in told:
        assert posting["customer"]["customer_email"].endswith("@example.invalid")
        assert posting["customer"]["phone"].startswith("+7000")
        assert posting["addressee"]["name"]


def test_a_cancellation_is_told_of_who_was_cancelled_and_empty_or_null_of_others(seller):
    fbs = [(posting["status"] == "cancelled", posting["cancellation"]) for posting in found(seller, FBS)]
    fbo = [(posting["status"] == "cancelled", posting["cancellation"]) for posting in found(seller, FBO)]

    assert all(cancellation["cancel_reason"] for cancelled, cancellation in fbs if cancelled)
    assert {bool(cancellation) for cancelled, cancellation in fbs if not cancelled} == {True, False}
    assert {cancellation["cancel_reason"] for cancelled, cancellation in fbs if not cancelled and cancellation} == {""}
    assert all(bool(cancellation) == cancelled for cancelled, cancellation in fbo)
    assert {cancelled for cancelled, _ in fbs} == {cancelled for cancelled, _ in fbo} == {True, False}


def test_only_what_moves_on_changes_in_a_posting(make_ozon, clock):
    seller = make_ozon(ozon_postings_every=timedelta(hours=1))
    before = {posting["posting_number"]: posting for posting in found(seller, FBS, ALL_PARTS)}
    moving = {
        "status", "substatus", "delivering_date", "tracking_number", "cancellation", "available_actions",
    }  # fmt: skip

    clock.advance(timedelta(days=3))
    after = {posting["posting_number"]: posting for posting in found(seller, FBS, ALL_PARTS)}

    changed = {number: {name for name in old if old[name] != after[number][name]} for number, old in before.items()}
    assert any(changed.values())
    assert set().union(*changed.values()) <= moving
