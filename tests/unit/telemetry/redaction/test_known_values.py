"""A known secret is hidden in every form that the documentation names, also if it is cut off by one character."""

import pytest

from telemetry.redaction.known_values import KnownSecrets
from tests.support.secret_forms import FORMS, in_lines_of_base64

SECRETS = (
    "hunter22",
    "!@#$%^&*()-+",
    "\\'\\'<>&&//~!",
    "\n\t!\r\n?\t\n=\b.~",
    "aB3-dE6+",
    "a/b:c&d'",
    'pa ss"w\\d',
    "kan/ar:ri&'\"vogel<1>",
    "пароль-секрет",
    "x%25y%zz8",
    "a\\b\\\\c'd\"efgh",
    "9é€😀k\nq\tz1",
    "correct-horse-battery-staple",
    "7712345678:AAF-canary_Canary-canary_CANARY-1a2b",
)
CUTS = {
    "whole": slice(None),
    "without its last": slice(None, -1),
    "without its first": slice(1, None),
}


@pytest.fixture(scope="module")
def known():
    made = {secret: KnownSecrets() for secret in SECRETS}
    for secret, each in made.items():
        each.add({"SECRET": secret})
    return made


@pytest.mark.parametrize(("form", "encode"), FORMS.items(), ids=FORMS)
def test_every_secret_is_hidden_in_every_form(known, form, encode):
    texts = [
        (secret, cut, text)
        for secret in SECRETS
        for cut, kept in CUTS.items()
        for text in (encode(secret[kept]), encode(secret)[kept])
    ]

    shown = [each for each in texts if "[hidden SECRET]" not in known[each[0]].redact(f"it was {each[2]} … then")]

    assert shown == []


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("postgres1", "postgresql+psycopg://localhost/shop"),
        ("sovani-database-two", "the database is sovani-database"),
        ("production7", "in productions"),
    ],
)
def test_another_word_that_begins_like_a_secret_is_none(secret, text):
    known = KnownSecrets()
    known.add({"SECRET": secret})

    assert known.redact(text) == text


@pytest.mark.parametrize("length", [12, 13, 20, 45])
def test_twelve_characters_at_either_end_of_a_long_secret_are_enough(known, length):
    secret = SECRETS[-1]

    assert known[secret].redact(f"at {secret[:length]}") == "at [hidden SECRET]"
    assert known[secret].redact(f"{secret[-length:]} was") == "[hidden SECRET] was"


def test_white_space_around_a_secret_is_not_part_of_it():
    known = KnownSecrets()
    known.add({"SECRET": " secret-with-an-end\n"})

    assert known.redact("is secret-with-an-end.") == "is [hidden SECRET]."


def test_of_two_secrets_that_begin_alike_each_has_its_name():
    known = KnownSecrets()
    known.add({"FIRST": "eyJhbGciOiJFUzI1NiJ9.first-payload", "SECOND": "eyJhbGciOiJFUzI1NiJ9.second-payload"})

    assert known.redact("a eyJhbGciOiJFUzI1NiJ9.second-payload") == "a [hidden SECOND]"
    assert known.redact("a eyJhbGciOiJFUzI1NiJ9.first-payload") == "a [hidden FIRST]"


def test_the_text_around_a_secret_in_lines_of_base64_stays():
    known = KnownSecrets()
    known.add({"SECRET": "the-secret-of-this-test"})
    encoded = in_lines_of_base64("the-secret-of-this-test")

    redacted = known.redact(f"head\n{encoded}\ntail\n")

    assert redacted.startswith(f"head\n{encoded[:50]}")
    assert redacted.endswith(f"{encoded[-8:]}\ntail\n")
