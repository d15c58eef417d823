"""Whatever a service says of a wait, in whichever header: it is a day at most, or nothing that is waited for."""

import io
from email.utils import formatdate

import httpx
import pytest

from service.integrations.http.api_response import ApiResponse
from service.integrations.openai.retry_after import retry_after
from service.integrations.ozon.client import ozon_api
from service.integrations.telegram import telegram_api
from service.integrations.wildberries.client import feedbacks_api, statistics_api

DAY = 86_400.0
IN_2083 = formatdate(3_565_000_000, usegmt=True)
WORDS = [
    "2083", "3565000000", "1795430060", "1795430060000", IN_2083, "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT", "-1", "-1e300", "nan", "NaN", "inf", "-Infinity", "1e400", "9" * 400, "", "soon",
    "1,000", "0x10", "١٢٣", "Fri, 99 Xyz 2083 00:00:00 GMT", "2083-01-01T00:00:00Z", "9999999h", "1s2m", "0.5",
]  # fmt: skip
HEADERS = ["retry-after", "x-ratelimit-retry", "x-ratelimit-reset", "ratelimit-reset"]
OPENAI_HEADERS = ["retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"]
APIS = {
    "feedbacks": feedbacks_api("http://wb", "token"),
    "statistics": statistics_api("http://wb", "token"),
    "ozon": ozon_api("http://ozon", "1", "key"),
    "telegram": telegram_api("http://telegram"),
}


def is_bounded(seconds):
    return seconds is None or 0 <= seconds <= DAY


@pytest.mark.parametrize("word", WORDS)
def test_no_word_makes_a_wait_of_more_than_a_day(word):
    wide = word.encode()  # a header has bytes; httpx finds out which text they are
    found = {
        (name, header): api.error_from(ApiResponse(429, httpx.Headers({header: wide}), io.BytesIO(b"{}"))).retry_after
        for name, api in APIS.items()
        for header in HEADERS
    } | {("openai", header): retry_after(httpx.Headers({header: wide}), None) for header in OPENAI_HEADERS}

    assert {where: seconds for where, seconds in found.items() if not is_bounded(seconds)} == {}


@pytest.mark.parametrize("number", [3565000000, -1, 10**400, True, None, "2083", 1.5e300, [7], {}])
def test_nor_does_a_number_in_the_body(number):
    body = httpx.Response(429, json={"parameters": {"retry_after": number}}).content

    error = APIS["telegram"].error_from(ApiResponse(429, httpx.Headers(), io.BytesIO(body)))

    assert is_bounded(error.retry_after)
