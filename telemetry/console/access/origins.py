"""Where a request comes from: this machine, a page of the console, or a page of another site."""

import ipaddress
import re
from typing import Final

from starlette.requests import HTTPConnection

_LOOPBACK_NAME: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])\.?(:\d{1,5})?", re.IGNORECASE)

_FORWARDED: Final = (
    "x-forwarded-",
    "forwarded",
    "via",
    "x-real-ip",
    "x-original-",
    "x-client-ip",
    "cf-connecting-ip",
    "true-client-ip",
)
"""How the names of the headers begin that proxies add."""


def is_local(request: HTTPConnection) -> bool:
    """Whether a program of this machine asks, by a name of this machine.

    The name matters: a page of another site can give itself a name that leads here (DNS rebinding), and a proxy on this machine
    passes the requests of others on.
    """
    return (
        request.client is not None
        and _is_loopback(request.client.host)
        and _LOOPBACK_NAME.fullmatch(request.headers.get("host", "")) is not None
        and not any(name.startswith(_FORWARDED) for name in request.headers)
    )


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def is_own_page(request: HTTPConnection) -> bool:
    """Whether a page of the console has sent it. A browser says so, and a page cannot change what it says.

    Not by the scheme: behind a proxy with TLS it is another one here.
    """
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    scheme, _, name = origin.lower().partition("://")
    return bool(host) and scheme in {"http", "https"} and name == host.lower()


def may_lack_cookie(request: HTTPConnection) -> bool:
    """Whether a link of another site has led here. A browser then sends no cookie of the kind `SameSite=Strict`."""
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"} and (
        request.headers.get("sec-fetch-mode") == "navigate"
    )
