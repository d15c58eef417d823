import gzip

import pytest

from telemetry.metrics.negotiation import (
    OPENMETRICS_CONTENT_TYPE,
    TEXT_CONTENT_TYPE,
    compress,
    negotiate_content_type,
)

PAGE = b"# TYPE up gauge\n" * 100
OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-textual",
        ",;,",
        f"{OPENMETRICS};q=0",
        f"{OPENMETRICS};q=0.0, */*",
        f"{OPENMETRICS};q=0.2, text/plain;q=0.7",
        f"{OPENMETRICS};q=0.2, */*;q=0.7",
        f"{OPENMETRICS};version=2.0.0",
        f"{OPENMETRICS};version=2.0.0, text/plain;q=0.1",
        f"{OPENMETRICS};q=2",
        f"{OPENMETRICS};q=high",
        "image/png",
        "text/*;q=0.9, application/*;q=0.1",
    ],
)
def test_the_text_format_is_the_answer(accept):
    assert negotiate_content_type(accept) == TEXT_CONTENT_TYPE


@pytest.mark.parametrize(
    "accept",
    [
        OPENMETRICS,
        "Application/OpenMetrics-Text; Version=1.0.0",
        f"{OPENMETRICS};version=0.0.1",
        f'{OPENMETRICS};version="1.0.0"',
        f"text/plain;q=0.2, {OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6",
        f"text/plain, {OPENMETRICS}",
        f"{OPENMETRICS};version=2.0.0, {OPENMETRICS};q=0.1",
        f"{OPENMETRICS} ; q=0.001, text/plain;q=0",
        "application/*",
        PROMETHEUS_3,
    ],
)
def test_openmetrics_is_the_answer(accept):
    assert negotiate_content_type(accept) == OPENMETRICS_CONTENT_TYPE


@pytest.mark.parametrize("accept_encoding", ["gzip", "GZIP;q=1.0", "br, gzip", "*", "identity;q=0.5, gzip", "x-gzip"])
def test_the_page_is_compressed_where_that_is_acceptable(accept_encoding):
    body, headers = compress(PAGE, accept_encoding)

    assert gzip.decompress(body) == PAGE
    assert headers == {"Vary": "Accept, Accept-Encoding", "Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "accept_encoding", ["", "br", "gzip;q=0", "gzip;q=0, *", "identity", "gzip;q=0.1, identity", "*;q=0"]
)
def test_the_page_is_plain_where_it_is_not(accept_encoding):
    assert compress(PAGE, accept_encoding) == (PAGE, {"Vary": "Accept, Accept-Encoding"})


def test_a_short_page_is_not_compressed():
    assert compress(b"up 1\n", "gzip")[0] == b"up 1\n"
