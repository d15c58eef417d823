from datetime import datetime, timedelta

import pytest

from service.sandbox.credentials import OZON_API_KEY, OZON_CLIENT_ID
from service.sandbox.ozon.fake import OzonFake

EVERY_LIST = (
    ("/v2/review/list", {"limit": 50}),
    ("/v2/review/count", {}),
    ("/v4/posting/fbs/list", {"filter": {"since": "2026-09-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}, "limit": 50}),
    ("/v3/posting/fbo/list", {"filter": {"since": "2026-09-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}, "limit": 50}),
)


@pytest.fixture
def seller(make_ozon):
    return make_ozon()


@pytest.mark.parametrize("headers", [{}, {"Client-Id": OZON_CLIENT_ID}, {"Api-Key": OZON_API_KEY}])
def test_a_call_without_both_headers_is_unauthenticated(seller, headers):
    answer = seller.client.post("/ozon/v1/roles", json={}, headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {"code": 16, "message": "Client-Id and Api-Key headers are required", "details": []}


@pytest.mark.parametrize("pair", [(OZON_CLIENT_ID, "another"), ("1000002", OZON_API_KEY)])
def test_a_wrong_key_is_denied_with_a_sentence_that_says_so(seller, pair):
    answer = seller.client.post("/ozon/v1/roles", json={}, headers={"Client-Id": pair[0], "Api-Key": pair[1]})

    assert (answer.status_code, answer.json()["code"]) == (403, 7)
    assert answer.json()["message"] == "Invalid Api-Key, please check the key and try again"


@pytest.mark.parametrize("path", ["/v9/nothing", "/v2/review/comment/create", "/v2/posting/fbo/list", "/v1/roles/"])
def test_a_path_that_is_not_known_is_not_found_in_plain_text(seller, path):
    answer = seller(path)

    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
def test_every_method_is_a_post(seller, verb):
    answer = seller.client.request(verb, "/ozon/v1/roles")

    assert (answer.status_code, answer.text) == (404, "404 page not found")


@pytest.mark.parametrize("path", ["/v3/posting/fbs/list", "/v3/posting/fbs/unfulfilled/list"])
def test_a_retired_method_says_that_it_is_obsolete(seller, path):
    answer = seller(path, {"dir": "ASC", "limit": 1000, "offset": 0})

    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert answer.json()["message"] == "obsolete method cannot be used"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b'"limit"'])
def test_a_body_that_is_no_json_object_is_invalid(seller, raw):
    keys = {"Client-Id": OZON_CLIENT_ID, "Api-Key": OZON_API_KEY}

    answer = seller.client.post("/ozon/v1/roles", content=raw, headers=keys)

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_null_is_the_same_as_none(seller):
    body = {"limit": 20, "last_id": None, "sort_dir": None, "filters": {"skus": None}}

    assert seller("/v2/review/list", body).json() == seller("/v2/review/list", {"limit": 20}).json()


def test_the_roles_say_until_when_the_key_is_good(make_ozon, clock):
    roles = make_ozon(ozon_key_days=12)("/v1/roles").json()

    assert roles["expires_at"] == "2026-12-06T12:00:00.000000Z"
    assert datetime.fromisoformat(roles["expires_at"]) == clock.now + timedelta(days=12)
    assert "/v2/review/list" in roles["roles"][0]["methods"]


@pytest.mark.parametrize(("has", "kind"), [(True, "PREMIUM_PRO"), (False, "UNSPECIFIED")])
def test_the_seller_is_a_company_with_or_without_a_subscription(make_ozon, has, kind):
    answer = make_ozon(ozon_subscription=has)("/v1/seller/info").json()

    assert answer["company"]["currency"] == "RUB"
    assert answer["subscription"] == {"is_premium": has, "type": kind}


def test_products_are_named_by_sku_written_as_a_string(seller):
    items = seller("/v3/product/info/list", {"sku": ["1700223300", "1700223333"]}).json()["items"]

    assert [item["name"] for item in items] == [
        "Пижама женская, хлопок",
        "Плед вязаный 150×200",
    ]  # as Ozon shows a size
    assert [item["sources"][0]["sku"] for item in items] == [1700223300, 1700223333]
    assert {item["sources"][0]["source"] for item in items} == {"sds"}


def test_products_are_named_by_the_sellers_number_and_by_ozons_too(seller):
    [first] = seller("/v3/product/info/list", {"sku": [1700223300]}).json()["items"]

    by_offer = seller("/v3/product/info/list", {"offer_id": [first["offer_id"]]}).json()["items"]
    by_id = seller("/v3/product/info/list", {"product_id": [str(first["id"])]}).json()["items"]

    assert by_offer == by_id == [first]


def test_nothing_is_told_of_a_product_that_is_unknown_or_withdrawn(seller):
    answer = seller("/v3/product/info/list", {"sku": ["1", str(1700223300 + 11 * 20)]})

    assert (answer.status_code, answer.json()) == (200, {"items": []})


@pytest.mark.parametrize("body", [{}, {"sku": list(range(1001))}, {"sku": list(range(600)), "offer_id": ["a"] * 401}])
def test_products_are_asked_for_by_one_to_a_thousand_identifiers(seller, body):
    answer = seller("/v3/product/info/list", body)

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize(("path", "body"), EVERY_LIST)
def test_the_same_seed_and_moment_give_the_same_answer(make_ozon, clock, path, body):
    clock.advance(timedelta(minutes=30))
    early, late = make_ozon(), make_ozon()
    clock.advance(timedelta(minutes=30))
    late_first = late(path, body).content

    assert early(path, body).content == late_first


@pytest.mark.parametrize(("kind", "key"), [("reviews", "id"), ("orders", "posting_number")])
def test_the_world_grows_with_time(make_ozon, clock, kind, key):
    fake = make_ozon(ozon_reviews=5, ozon_postings=5).fake
    before = [thing[key] for thing in fake.expected_state(kind)]

    clock.advance(timedelta(minutes=1))
    after = [thing[key] for thing in fake.expected_state(kind)]

    assert len(before) == 5
    assert len(after) == {"reviews": 7, "orders": 8}[kind]
    assert after[:5] == before
    assert len(set(after)) == len(after)


def test_nothing_moves_in_a_world_that_is_frozen(make_environment, clock):
    environment = make_environment()
    fake = OzonFake(environment)
    environment.simulation.freeze()
    before = [list(fake.expected_state(kind)) for kind in ("reviews", "orders")]

    clock.advance(timedelta(days=3))

    assert [list(fake.expected_state(kind)) for kind in ("reviews", "orders")] == before


def test_there_is_no_truth_about_anything_else(seller):
    with pytest.raises(KeyError):
        seller.fake.expected_state("messages")


def test_the_two_faults_of_its_servers_come_in_turn(seller):
    html, plain, again = (seller.fake.server_error() for _ in range(3))

    assert (html.status_code, html.media_type) == (502, "text/html")
    assert (plain.status_code, plain.body) == (500, b'{"code":13,"message":"Internal error","details":[]}')
    assert again.body == html.body
