"""What uvicorn answers before the application sees a request is counted, too."""

import contextlib
import socket

import pytest

from tests.support.processes import eventually
from tests.support.served_application import served_application, service_in

PROTOCOL = "service.api.edge.http_protocol:BoundedHttpProtocol"


@pytest.fixture
def service(tmp_path, sqlite_template):
    with served_application(service_in(tmp_path, sqlite_template), http=PROTOCOL, limit_concurrency=4) as served:
        yield served


def say(service, data):
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def requests(service):
    return {line for line in service.get("/metrics").text.splitlines() if line.startswith("http_requests_total{")}


def series(endpoint, method, status, number):
    return f'http_requests_total{{method="{method}",endpoint="{endpoint}",status="{status}"}} {number}'


def test_too_many_requests_at_once_and_what_is_no_http_are_counted_by_what_the_client_got(service):
    path = b"GET /api/v1/reviews/7 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    with contextlib.ExitStack() as held:
        for _ in range(4):
            held.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
        refused = [say(service, path) for _ in range(3)]
    eventually(lambda: service.get("/livez").status_code == 200)
    garbage = [say(service, data) for data in (b"\x16\x03\x01 no http\r\n\r\n", b"GET / HTTP/9.9.9\r\n\r\n")]
    broken = say(
        service, b"POST /api/v1/reviews/7/answer HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"
    )

    assert [each.split(b" ")[1] for each in (*refused, *garbage, broken)] == [b"503"] * 3 + [b"400"] * 3
    expected = {series("/api/v1/reviews/{review_id}", "GET", 503, 3), series("unmatched", "_OTHER", 400, 2)}
    eventually(lambda: expected <= requests(service))
    posts = [line for line in requests(service) if 'method="POST"' in line]
    assert [line.rpartition(" ")[2] for line in posts] == ["1"]  # the application had it
