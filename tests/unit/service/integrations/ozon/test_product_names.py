import logging
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.http.errors import Unreadable
from service.integrations.ozon.product_names import ProductNames, parse_names
from tests.support.ozon_stub import json_of

PYJAMAS = {"id": 1, "name": "Пижама хлопок", "sku": 11, "sources": [{"sku": "12"}, {"sku": 13}]}
ROBE = {"id": 2, "name": "Халат\x00", "sources": [{"sku": 21, "source": "sds"}]}
JSON = json_of(("name", "sku", "sources"))


@pytest.fixture
def names_of(ozon_client, ozon_clock):
    return lambda known=lambda _skus: {}: ProductNames(ozon_client, known, ozon_clock.now)


def test_a_product_is_found_by_each_of_its_skus():
    assert parse_names({"items": [PYJAMAS, ROBE]}) == {
        "11": "Пижама хлопок",
        "12": "Пижама хлопок",
        "13": "Пижама хлопок",
        "21": "Халат\ufffd",
    }


@pytest.mark.parametrize(
    "item", [None, "text", {"sku": 1}, {"sku": 1, "name": " "}, {"sku": 1, "name": 5}, {"sku": 0, "name": "x"}]
)
def test_a_product_that_cannot_be_read_is_left_out(item):
    assert parse_names({"items": [item, ROBE]}) == {"21": "Халат\ufffd"}


@given(st.dictionaries(st.just("items"), JSON))
def test_an_answer_has_names_or_is_unreadable(answer):
    try:
        names = parse_names(answer)
    except Unreadable:
        return
    assert all(sku.isdigit() and name for sku, name in names.items())


def test_a_name_that_is_too_long_for_its_column_is_cut():
    assert parse_names({"items": [{"sku": 1, "name": "я" * 501}]}) == {"1": "я" * 500}


def test_only_names_that_are_not_known_are_asked_for(ozon, names_of):
    ozon.enqueue({"items": [PYJAMAS]})

    names = names_of(lambda _skus: {"21": "Халат"})

    assert names.lookup({"21", "12", "11"}) == {"21": "Халат"} | dict.fromkeys(("11", "12", "13"), "Пижама хлопок")
    assert ozon.requests == [("/v3/product/info/list", {"sku": ["11", "12"]})]


def test_what_is_known_is_not_asked_for_and_nothing_is_not_looked_up(ozon, names_of):
    looked_up = []

    def known(skus):
        looked_up.append(set(skus))
        return {"21": "Халат"}

    names = names_of(known)

    assert names.lookup({"21"}) == {"21": "Халат"}
    assert names.lookup(set()) == {}
    assert looked_up == [{"21"}]
    assert ozon.requests == []


def test_a_sku_that_ozon_does_not_know_is_asked_for_once(ozon, names_of):
    ozon.enqueue({"items": [PYJAMAS]}, {"items": []})
    names = names_of()

    names.lookup({"11", "99"})
    names.lookup({"99"})
    names.lookup({"11", "99"})

    assert ozon.bodies == [{"sku": ["11", "99"]}, {"sku": ["11"]}]


def test_no_more_than_a_thousand_are_asked_for_and_the_rest_stays_unknown_to_us_only(ozon, names_of):
    ozon.enqueue({"items": []}, {"items": []})
    names = names_of()
    skus = {str(number) for number in range(10_000, 11_001)}

    names.lookup(skus)
    names.lookup(skus)

    assert [len(body["sku"]) for body in ozon.bodies] == [1000, 1]


def test_names_that_are_not_given_are_warned_of_once_and_asked_for_again_after_a_while(
    ozon, ozon_clock, names_of, caplog
):
    ozon.refuse(403, 7, "Api-Key is missing a required role for a method")
    ozon.enqueue({"items": [PYJAMAS]})
    names = names_of(lambda _skus: {"21": "Халат"})

    with caplog.at_level(logging.WARNING):
        assert names.lookup({"11", "21"}) == {"21": "Халат"}
        assert names.lookup({"11"}) == {"21": "Халат"}
    ozon_clock.moment += timedelta(minutes=11)

    assert names.lookup({"11"})["11"] == "Пижама хлопок"
    assert [(record.levelname, record.component) for record in caplog.records] == [("WARNING", "ozon")]
    assert "role" in caplog.text


def test_an_answer_of_another_shape_is_as_good_as_none(ozon, names_of):
    ozon.enqueue({"result": {"items": [PYJAMAS]}})

    assert names_of().lookup({"11"}) == {}
