import base64
import json
from datetime import UTC, datetime

import pytest

from service.settings import Settings
from service.sync.freshness.credentials import known_expiries
from telemetry.database import transaction


def token(payload):
    return f"e30.{base64.urlsafe_b64encode(payload.encode()).decode().rstrip('=')}.signature"


@pytest.mark.parametrize(
    ("exp", "known"),
    [
        ("1795430000", datetime(2026, 11, 23, 10, 33, 20, tzinfo=UTC)),
        ("1795430000.0", datetime(2026, 11, 23, 10, 33, 20, tzinfo=UTC)),
        ("253402300799", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        *((odd, None) for odd in ("0", "-1", "true", "null", "NaN", "Infinity", "-Infinity", "1795430000000")),
        *((odd, None) for odd in ("1e300", f"1{'0' * 400}", '"1795430000"', '"soon"', "[]", "{}")),
    ],
)  # fmt: skip
def test_a_token_of_wildberries_says_when_it_expires_or_nothing_is_said(sqlite_engine, exp, known):
    settings = Settings(wb_api_token=token(f'{{"exp": {exp}}}'))

    with transaction(sqlite_engine) as session:
        assert known_expiries(session, settings).get("wb") == known


@pytest.mark.parametrize("text", ["no token at all", "a.b.c-no-json", "..........", token(json.dumps([1])), token("{")])
def test_what_is_no_token_does_not_expire(sqlite_engine, text):
    with transaction(sqlite_engine) as session:
        assert known_expiries(session, Settings(wb_api_token=text)) == {}
