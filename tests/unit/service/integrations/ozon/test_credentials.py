from datetime import UTC, datetime, timedelta

import pytest

from service.integrations.http.errors import Unauthorized
from service.integrations.ozon.credentials import describe_key, expiry_warning, fetch_key_expiry
from tests.support.ozon_stub import NOON

ROLES = [{"name": "Review read only", "methods": ["/v2/review/list"]}, {"name": "Posting", "methods": []}]


def test_the_expiry_of_a_key_is_what_its_roles_say(ozon, ozon_client):
    ozon.enqueue({"roles": ROLES, "expires_at": "2027-01-14T06:30:00.000000Z"})

    assert fetch_key_expiry(ozon_client) == datetime(2027, 1, 14, 6, 30, tzinfo=UTC)
    assert ozon.requests == [("/v1/roles", {})]


@pytest.mark.parametrize("expires_at", [None, "", "0001-01-01T00:00:00Z", "never", 5])
def test_a_key_of_which_nothing_is_said_has_no_expiry(ozon, ozon_client, expires_at):
    ozon.enqueue({"roles": ROLES, "expires_at": expires_at})

    assert fetch_key_expiry(ozon_client) is None


def test_a_key_that_is_not_accepted_is_said_so(ozon, ozon_client):
    ozon.refuse(403, 7, "Invalid Api-Key, please contact support")

    with pytest.raises(Unauthorized, match="OZON_API_KEY"):
        describe_key(ozon_client, NOON)


def test_the_check_says_the_roles_and_the_expiry(ozon, ozon_client):
    ozon.enqueue({"roles": ROLES, "expires_at": "2027-01-14T06:30:00Z"})

    assert describe_key(ozon_client, NOON) == (
        "Ozon accepts the key; its roles: Review read only, Posting. It expires on 2027-01-14."
    )


def test_the_check_warns_of_a_key_that_expires_soon(ozon, ozon_client):
    ozon.enqueue({"roles": ROLES, "expires_at": "2026-11-27T12:00:00Z"})

    assert "expires in 3 days (2026-11-27 12:00 UTC): make a new one" in describe_key(ozon_client, NOON)


@pytest.mark.parametrize("roles", [None, [], {}, ["admin"], [{"name": None}], [{"name": ""}]])
def test_roles_that_are_not_named_are_no_harm(ozon, ozon_client, roles):
    ozon.enqueue({"roles": roles})

    assert describe_key(ozon_client, NOON) == (
        "Ozon accepts the key; its roles: none that it names. It does not expire."
    )


@pytest.mark.parametrize(
    ("left", "when"),
    [
        (timedelta(days=14), "expires in 14 days"),
        (timedelta(days=1, hours=5), "expires in 1 day "),
        (timedelta(hours=5), "expires in less than a day"),
        (timedelta(0), "has expired"),
        (timedelta(days=-3), "has expired"),
    ],
)
def test_a_key_near_its_end_is_warned_of(left, when):
    warning = expiry_warning(NOON + left, NOON)

    assert when in warning
    assert "OZON_API_KEY" in warning


@pytest.mark.parametrize("expires_at", [None, NOON + timedelta(days=14, seconds=1)])
def test_a_key_that_lasts_is_not_warned_of(expires_at):
    assert expiry_warning(expires_at, NOON) is None
