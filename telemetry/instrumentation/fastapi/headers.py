"""The headers of ASGI: read and written by propagators, and captured for spans."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from opentelemetry.propagators.textmap import Getter, Setter

from telemetry.instrumentation.fastapi.published import Message, Scope

Headers = Iterable[tuple[bytes, bytes]]
Sanitize = Callable[[Mapping[str, list[str]], list[str], Callable[[str], str]], dict[str, list[str]]]


class _HeaderGetter(Getter[Scope]):
    """Reads the headers of an ASGI scope for a propagator."""

    def get(self, carrier: Scope, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in carrier["headers"] if name == wanted] or None

    def keys(self, carrier: Scope) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier["headers"]]


class _HeaderSetter(Setter[Message]):
    """Adds a header to the message that starts a response."""

    def set(self, carrier: Message, key: str, value: str) -> None:
        header = (key.lower().encode("latin-1"), value.encode("latin-1"))
        carrier["headers"] = [*carrier.get("headers", ()), header]


HEADER_GETTER: Final = _HeaderGetter()
HEADER_SETTER: Final = _HeaderSetter()


def captured(headers: Headers, patterns: list[str], side: str, sanitize: Sanitize) -> dict[str, Any]:
    """The attributes of the headers that fit one of the patterns; `side` is `request` or `response`."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(_text(name), []).append(_text(value))
    return sanitize(values, patterns, lambda name: f"http.{side}.header.{name.lower().replace('-', '_')}")


def url(scope: Scope) -> str:
    """The URL of a request without its query, as the published package matches it with the URLs that are excluded."""
    server = scope.get("server") or ("0.0.0.0", 80)  # noqa: S104  # what the published package takes
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    host = _text(hosts[0]) if hosts else f"{server[0]}:{server[1]}".removesuffix(":80")
    return f"{scope.get('scheme', 'http')}://{host}{scope.get('path', '')}"


def _text(header: bytes) -> str:
    try:
        return header.decode("utf-8")
    except ValueError:
        return header.decode("latin-1")
