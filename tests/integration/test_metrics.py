"""Counting: what /metrics says is what the clients count, series by series."""

import re
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx
import pytest
from fastapi import APIRouter, HTTPException

from tests.support.served_application import ServedApplication, served_application, service_in

shops: Final = APIRouter()
"""What there is to be counted beside the service's own."""


@shops.get("/shops/{shop_id}/reviews")
def read_reviews(shop_id: int) -> list[int]:
    return [shop_id]


@shops.post("/shops", status_code=201)
async def open_a_shop() -> dict[str, str]:
    return {}


@shops.get("/crash")
async def crash() -> None:
    raise RuntimeError("as it was asked to")


@shops.get("/teapot")
def brew() -> None:
    raise HTTPException(418)


# method, path and status, and the labels under which it is to be found
KNOWN: Final = {
    ("GET", "/health", 200): ("GET", "/health", "200"),
    ("HEAD", "/livez", 200): ("HEAD", "/livez", "200"),
    ("GET", "/shops/{n}/reviews", 200): ("GET", "/shops/{shop_id}/reviews", "200"),
    ("GET", "/shops/none{n}/reviews", 422): ("GET", "/shops/{shop_id}/reviews", "422"),
    ("POST", "/shops", 201): ("POST", "/shops", "201"),
    ("DELETE", "/shops", 405): ("DELETE", "/shops", "405"),
    ("GET", "/crash", 500): ("GET", "/crash", "500"),
    ("GET", "/teapot", 418): ("GET", "/teapot", "418"),
    ("GET", "/nothing/at/{n}", 404): ("GET", "unmatched", "404"),
    ("PUT", "/nothing/at/{n}", 404): ("PUT", "unmatched", "404"),
    ("PROPFIND", "/health", 405): ("_OTHER", "/health", "405"),
    ("GET", "/jobs/status?limit={n}", 200): ("GET", "/jobs/status", "200"),
    ("GET", "/jobs/status?limit=0", 422): ("GET", "/jobs/status", "422"),
    ("GET", "/jobs/stats/nobody{n}", 404): ("GET", "/jobs/stats/{job_name}", "404"),
    ("GET", "/docs", 200): ("GET", "/docs", "200"),
}
Series = Counter[tuple[str, str, str]]


CLIENTS: Final = 4


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Iterator[ServedApplication]:
    app = service_in(tmp_path, sqlite_template)
    app.include_router(shops)
    with served_application(app, http=getattr(request, "param", "auto")) as served:
        yield served


def test_requests_of_many_clients_are_counted_series_by_series(service: ServedApplication):
    before = counted(service, "http_requests_total")

    with ThreadPoolExecutor(CLIENTS) as clients:
        sent = sum(clients.map(lambda number: send(service, number, 3 * len(KNOWN)), range(CLIENTS)), Series())

    assert sum(sent.values()) == CLIENTS * 3 * len(KNOWN)
    scrape = Counter({("GET", "/metrics", "200"): 1})
    assert counted(service, "http_requests_total") - before == sent + scrape
    assert counted(service, "http_request_duration_seconds_count") - before == sent + scrape + scrape
    assert values(service, "http_requests_in_progress") == {(method,): float(method == "GET") for method, _, _ in sent}


@pytest.mark.parametrize("service", ["h11"], indirect=True)
def test_what_is_no_http_gets_400_from_the_server_and_an_unknown_method_is_one_series(service: ServedApplication):
    answers = [
        raw(service, b"BREW /health HTTP/1.1"),
        raw(service, b"SMELL /health HTTP/1.1"),
        raw(service, b"\x16\x03"),
    ]

    assert [answer.split()[1] for answer in answers] == [b"405", b"405", b"400"]
    assert counted(service, "http_requests_total")[("_OTHER", "/health", "405")] == 2
    assert "BREW" not in service.get("/metrics").text


def send(service: ServedApplication, client_number: int, requests: int) -> Series:
    """Send requests, each known one in turn, and count them under the labels that they are to have."""
    known = list(KNOWN.items())
    sent: Series = Counter()
    with httpx.Client(base_url=service.url, timeout=10, trust_env=False) as client:
        for number in range(requests):
            (method, path, status), labels = known[(number + client_number) % len(known)]
            answer = client.request(method, path.format(n=number + 1))
            assert answer.status_code == status, (method, path, answer.status_code)
            sent[labels] += 1
    return sent


def raw(service: ServedApplication, line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while received := connection.recv(4096):
            answer += received
        return answer


def counted(service: ServedApplication, family: str) -> Series:
    return Counter({(at[0], at[1], at[2]): int(value) for at, value in values(service, family).items()})


def values(service: ServedApplication, family: str) -> dict[tuple[str, ...], float]:
    found = re.findall(rf"^{family}\{{(.*)\}} (\S+)$", service.get("/metrics").text, re.MULTILINE)
    return {tuple(re.findall(r'"([^"]*)"', labels)): float(value) for labels, value in found}
