import pytest

from telemetry.instrumentation.fastapi.request_attributes import MAX_VALUE_LENGTH, request_attributes


def attributes(method="GET", *, is_secure=False, headers=(), **scope):
    return request_attributes(
        {"method": method, "path": "/items/1", "headers": list(headers), **scope},
        method if method == "GET" else "_OTHER",
        is_secure=is_secure,
    )


@pytest.mark.parametrize(
    ("host", "is_secure", "address", "port"),
    [
        (b"shop.example", False, "shop.example", 80),
        (b"shop.example", True, "shop.example", 443),
        (b"shop.example:8080", False, "shop.example", 8080),
        (b"127.0.0.1:1", True, "127.0.0.1", 1),
        (b"[2001:db8::1]", False, "2001:db8::1", 80),
        (b"[2001:db8::1]:8443", True, "2001:db8::1", 8443),
        (b"shop.example:", False, "shop.example:", 80),
        (b"shop.example:http", False, "shop.example:http", 80),
        (b"shop.example:999999", False, "shop.example:999999", 80),
        ("shop:\u00b2".encode("latin-1"), False, "shop:\u00b2", 80),
        (b"\xff\x00:5", False, "\xff\x00", 5),
    ],
)
def test_the_server_is_the_one_that_the_client_asked_for(host, is_secure, address, port):
    found = attributes(headers=[(b"host", host)], is_secure=is_secure, server=("10.0.0.1", 8000))

    assert (found["server.address"], found["server.port"]) == (address, port)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (("10.0.0.1", 8000), ("10.0.0.1", 8000)),
        (("/run/app.sock", None), ("/run/app.sock", None)),
        (None, (None, None)),
    ],
)
def test_without_a_host_it_is_where_the_connection_has_come_to(server, expected):
    found = attributes(server=server)

    assert (found.get("server.address"), found.get("server.port")) == expected


def test_what_a_stranger_sends_is_cut():
    found = attributes(
        "X" * 9999, headers=[(b"user-agent", b"a" * 9999), (b"host", b"h" * 9999)], query_string=b"q" * 9999
    )

    assert all(len(value) <= MAX_VALUE_LENGTH for value in found.values() if isinstance(value, str))
    assert len(found["http.request.method_original"]) == 32


def test_what_is_not_known_is_left_out():
    assert set(attributes(client=None, query_string=b"")) == {
        "http.request.method",
        "network.protocol.version",
        "url.path",
        "url.scheme",
    }
