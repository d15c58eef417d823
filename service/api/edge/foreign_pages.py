"""Tells requests that a page of another site may have sent by the browser of somebody who can reach the service.

Such a page can give the service a name of its own (DNS rebinding), and can send a request that changes something without
reading the response. A browser tells both by headers that the page cannot choose: `Host`, `Origin`, and a content type
other than that of a form.
"""

import re
from collections.abc import Iterable, MutableMapping
from typing import Any, Final

from service.errors import Problem
from service.settings import Settings

_ANY: Final = "*"
_PROBES: Final = frozenset({"/livez", "/readyz", "/health"})
"""They answer to every name, since probes come by address, and say no more than a state."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_AUTHORITY: Final = re.compile(rb"(?P<host>\[[0-9A-Fa-f:.]+\]|[^][:@/]*[^][:@/.])\.?(?::[0-9]*)?")
_MAX_AUTHORITY: Final = 300
"""Names have at most 253 characters."""
_MAX_SHOWN: Final = 100

Scope = MutableMapping[str, Any]


class OriginRejected(Problem):
    """403: a page of another site sent the request."""

    status = 403


class JsonRequired(Problem):
    """415: the request may come from a form of another site."""

    status = 415


class HostNames:
    """Names of hosts, in which `*.example.com` stands for all below it."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.lower().encode() for name in names]
        self._names = frozenset(encoded)
        self._suffixes = tuple(name[1:] for name in encoded if name.startswith(b"*."))

    def __contains__(self, authority: bytes) -> bool:
        """Whether one of them is the host of `host:port`."""
        if len(authority) > _MAX_AUTHORITY or (match := _AUTHORITY.fullmatch(authority)) is None:
            return False
        name = match["host"].lower()
        return name in self._names or (bool(self._suffixes) and name.endswith(self._suffixes))


class HostCheck:
    """Rejects requests for a name that is not the service's own. Without `OPS_TOKEN` nothing else keeps out DNS rebinding."""

    def __init__(self, settings: Settings) -> None:
        configured = settings.host_names
        is_open = _ANY in configured or (settings.ops_token is not None and not configured)
        self._own = None if is_open else HostNames(settings.own_names)

    def rejection(self, scope: Scope) -> str:
        """Why to reject the request, as a sentence; else empty."""
        if self._own is None or (host := _header(scope, b"host")) in self._own or _is_probe(scope):
            return ""
        return f"The service does not answer to the name {host[:_MAX_SHOWN].decode('latin-1')!r}: list it in ALLOWED_HOSTS."


def check_change(scope: Scope, settings: Settings) -> None:
    """Check a request that changes something, and for which no token is asked.

    Raises:
        OriginRejected: a page of another site sent it.
        JsonRequired: it has no `Origin`, and a form could have sent it.
    """
    if scope["method"] in _SAFE_METHODS:
        return
    if origin := _header(scope, b"origin"):
        if not _is_own(origin, _header(scope, b"host"), settings):
            raise OriginRejected("This changes something, and a page of another site sent it (header Origin).")
    elif not _is_json(_header(scope, b"content-type")):
        raise JsonRequired("This changes something, so it needs the header Content-Type: application/json.")


def _header(scope: Scope, name: bytes) -> bytes:
    """The first of this name; empty if there is none."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def _is_probe(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in _PROBES or path.startswith("/readyz/")


def _is_own(origin: bytes, host: bytes, settings: Settings) -> bool:
    """The page is of the host and port that it calls; or a proxy before the service has one of its configured names."""
    authority = origin.partition(b"://")[2].lower()
    return authority != b"" and (authority == host.lower() or authority in HostNames(settings.host_names))


def _is_json(content_type: bytes) -> bool:
    media_type = content_type.partition(b";")[0].strip().lower()
    return media_type == b"application/json" or (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    )
