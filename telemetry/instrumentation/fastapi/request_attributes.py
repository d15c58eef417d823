"""The attributes of a request's span that are known when it starts, so that a sampler sees them."""

from typing import Final

from telemetry import semconv
from telemetry.instrumentation.fastapi.published import Scope
from telemetry.instrumentation.fastapi.request_duration import SCHEMES

MAX_VALUE_LENGTH: Final = 512
_MAX_METHOD_LENGTH: Final = 32
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def request_attributes(scope: Scope, method: str, *, is_secure: bool) -> dict[str, str | int]:
    """Strings are cut: a stranger has sent them. Secrets in them are redacted when the span is exported."""
    scheme = SCHEMES[is_secure]
    attributes: dict[str, str | int] = {
        semconv.HTTP_METHOD: method,
        semconv.URL_PATH: scope["path"][:MAX_VALUE_LENGTH],
        semconv.URL_SCHEME: scheme,
        semconv.PROTOCOL_VERSION: scope.get("http_version", ""),
    }
    if method == semconv.OTHER_METHOD:
        attributes[semconv.HTTP_METHOD_ORIGINAL] = scope["method"][:_MAX_METHOD_LENGTH]
    if query := scope.get("query_string"):
        attributes[semconv.URL_QUERY] = query[:MAX_VALUE_LENGTH].decode("latin-1")
    if client := scope.get("client"):
        attributes[semconv.CLIENT_ADDRESS] = client[0]
    _add_headers(attributes, scope, scheme)
    return attributes


def _add_headers(attributes: dict[str, str | int], scope: Scope, scheme: str) -> None:
    """The server is the one that the client has asked for, else the one that the connection has come to."""
    host = b""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            attributes[semconv.USER_AGENT] = value[:MAX_VALUE_LENGTH].decode("latin-1")
        elif name == b"host":
            host = value[:MAX_VALUE_LENGTH]
    address, port = _split(host.decode("latin-1"), scheme) if host else scope.get("server") or ("", None)
    if address:
        attributes[semconv.SERVER_ADDRESS] = address
        if port is not None:
            attributes[semconv.SERVER_PORT] = port


def _split(host: str, scheme: str) -> tuple[str, int]:
    """The address and the port of a `Host` header; an address of IPv6 is in brackets."""
    address, colon, port = host.rpartition(":")
    if not colon or "]" in port or not (port.isascii() and port.isdecimal() and len(port) <= len("65535")):
        return host.strip("[]"), _DEFAULT_PORTS[scheme]
    return address.strip("[]"), int(port)
