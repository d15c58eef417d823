import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.wildberries.credentials import WildberriesToken
from tests.support.wildberries_payloads import TOKEN, token_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
IN_MAY = datetime(2027, 5, 1, tzinfo=UTC)
BOTH = 1 << 5 | 1 << 7


def lasting(until, scopes=BOTH):
    return WildberriesToken.parse(token_of(acc=3, s=scopes, exp=until.timestamp()))


def json_as_token(text):
    return f"head.{base64.urlsafe_b64encode(text.encode('utf-8', 'surrogatepass')).decode()}.signature"


def test_a_token_says_its_kind_its_categories_and_its_end():
    token = WildberriesToken.parse(TOKEN)

    assert (token.kind, token.scopes, token.missing_categories()) == (3, 160, [])
    assert token.expires_at == datetime.fromtimestamp(1_798_000_000, UTC)
    assert str(token) == "a token of kind personal, until 2026-12-23"


@pytest.mark.parametrize("written", [f"Bearer {TOKEN}", f" {TOKEN}\n", f"Bearer {TOKEN} "])
def test_a_token_is_the_same_however_it_was_pasted(written):
    assert WildberriesToken.parse(written) == WildberriesToken.parse(TOKEN)


@pytest.mark.parametrize(
    ("kind", "feedbacks", "orders"),
    [
        (1, (720.0, 1), (10_800.0, 1)),
        (2, (1 / 3, 6), (60.0, 10)),
        (3, (1 / 3, 6), (60.0, 10)),
        (4, (1 / 3, 6), (60.0, 10)),
        (None, (1 / 3, 6), (60.0, 10)),
        (17, (1 / 3, 6), (60.0, 10)),
    ],
)
def test_the_limits_are_those_of_the_tokens_kind(kind, feedbacks, orders):
    token = WildberriesToken.parse(token_of(acc=kind, sid="3f2b"))

    assert (token.feedbacks_limit.interval, token.feedbacks_limit.burst) == pytest.approx(feedbacks)
    assert (token.orders_limit.interval, token.orders_limit.burst) == orders


def test_two_tokens_of_one_seller_and_kind_share_their_limits_and_others_do_not():
    first, renewed = token_of(acc=3, sid="one", exp=1), token_of(acc=3, sid="one", exp=2)
    base, other = token_of(acc=1, sid="one"), token_of(acc=3, sid="two")

    keys = [WildberriesToken.parse(text).feedbacks_limit.key for text in (first, renewed, base, other)]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert WildberriesToken.parse(first).orders_limit.key != keys[0]


@pytest.mark.parametrize(
    ("token", "warning"),
    [
        (lasting(IN_MAY), None),
        (lasting(NOW), "WB_API_TOKEN expired on 2026-11-24: make a new one in the seller's cabinet."),
        (lasting(NOW, 0), "WB_API_TOKEN expired on 2026-11-24: make a new one in the seller's cabinet."),
        (lasting(NOW + timedelta(days=14)), None),
        (
            lasting(NOW + timedelta(days=13)),
            "WB_API_TOKEN expires on 2026-12-07: make a new one before.",
        ),
        (lasting(IN_MAY, 1 << 5), "WB_API_TOKEN lacks the category Feedbacks and questions: make one that has it."),
        (lasting(IN_MAY, 1 << 7), "WB_API_TOKEN lacks the category Statistics: make one that has it."),
        (
            lasting(IN_MAY, 0),
            "WB_API_TOKEN lacks the category Statistics and Feedbacks and questions: make one that has it.",
        ),
        (WildberriesToken.parse("no token at all"), None),
        (WildberriesToken.parse(token_of(acc=3, s=BOTH)), None),
    ],
)
def test_a_token_that_is_not_good_enough_is_complained_about(token, warning):
    assert token.warning(NOW) == warning


@pytest.mark.parametrize(
    "claims",
    [
        *["[" * 100_000, "{", "[]", "null", '"text"', "1" * 5000, "{}", '{"acc": "3", "s": [], "exp": {}, "sid": {}}'],
        *['{"exp": 1e300}', '{"exp": -1e15}', '{"exp": NaN}', '{"exp": true, "acc": true}', '{"sid": "\\ud800"}'],
    ],
)
def test_claims_of_any_shape_are_no_harm(claims):
    token = WildberriesToken.parse(json_as_token(claims))

    assert len(token.account) == 8
    assert token.warning(NOW) is None or "expired on 1970" in token.warning(NOW)
    assert str(token).startswith("a token of kind ")


@given(st.text() | st.text().map(json_as_token) | st.text().map(lambda text: f"a.{text}.c"))
def test_a_token_of_any_text_is_read_and_shown_nowhere(text):
    marked = f"{text}-and-its-secret"

    for written in (text, marked):
        token = WildberriesToken.parse(written)
        shown = f"{token} {token!r} {token.feedbacks_limit} {token.orders_limit} {token.missing_categories()} {token.warning(NOW)}"
        assert "and-its-secret" not in shown
        assert len(text) < 20 or text not in shown


@given(st.characters(categories=["Cs"]))
def test_a_token_with_half_a_character_is_read(character):
    assert WildberriesToken.parse(f"{character}.e30.c").kind is None
    assert WildberriesToken.parse(character).kind is None


def test_a_base_token_with_its_secret_has_the_limits_of_the_others_and_a_bucket_of_its_own():
    base, with_secret = (
        WildberriesToken.parse(token_of(acc=1, sid="3f2b"), has_secret=given) for given in (False, True)
    )

    assert (with_secret.feedbacks_limit.interval, with_secret.feedbacks_limit.burst) == pytest.approx((1 / 3, 6))
    assert (with_secret.orders_limit.interval, with_secret.orders_limit.burst) == (60.0, 10)
    assert with_secret.account != base.account
    assert str(with_secret) == "a token of kind base, with a secret"
    assert "without WB_CLIENT_SECRET: 5 calls for reviews an hour, 1 for orders in 3 hours" in str(base)
