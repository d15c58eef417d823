"""The proxies that the environment sets: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`. Nothing on loopback uses one."""

import ipaddress
import os
import socket
from collections.abc import MutableMapping
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from telemetry.environment.errors import SettingsError

LOOPBACK: Final = ("localhost", "127.0.0.0/8", "127.0.0.1", "::1")
"""For `NO_PROXY`. Some libraries know no networks, so the usual address is there as well."""
_EXEMPTIONS: Final = ("no_proxy", "NO_PROXY", "no_grpc_proxy")
_SOCKS: Final = frozenset({"socks5", "socks5h"})
_SCHEMES: Final = _SOCKS | {"http", "https"}
_PACKAGES: Final = {"socks": "pysocks"}
"""The distributions of modules that have another name."""


def proxy_for(url: str, socks_package: str = "socksio") -> str | None:
    """The proxy for a URL. None for a loopback address and for what `NO_PROXY` names.

    Args:
        url: the URL.
        socks_package: the module that the HTTP client needs for SOCKS.

    Raises:
        SettingsError: the variable of the proxy is not a URL, or the client cannot use a proxy of this kind.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind, "").strip()
    return (
        _checked(f"{kind.upper()}_PROXY", proxy if "://" in proxy else f"http://{proxy}", socks_package)
        if proxy
        else None
    )


def _checked(variable: str, proxy: str, socks_package: str) -> str:
    if (scheme := _scheme(proxy)) not in _SCHEMES:
        shown = proxy_name(proxy) if scheme else "no URL of a proxy"
        raise SettingsError(f"{variable} is {shown}, but must be a URL such as http://proxy.example:3128.")
    if scheme in _SOCKS and find_spec(socks_package) is None:
        package = _PACKAGES.get(socks_package, socks_package)
        raise SettingsError(f"{variable} is {proxy_name(proxy)}, and SOCKS needs a package: pip install {package}.")
    return proxy


def _scheme(proxy: str) -> str:
    """The scheme of a URL that has a host and a valid port; else empty."""
    try:
        parts = urlsplit(proxy)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return parts.scheme if is_address else ""


def proxy_name(proxy: str) -> str:
    """The URL of a proxy without its user and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def through_proxy(url: str) -> str:
    """For the sentence of an error: ` through the proxy http://proxy.example:3128`; empty if the URL has none."""
    try:
        proxy = proxy_for(url)
    except (SettingsError, ValueError):  # it was changed since the client was made
        return ""
    return f" through the proxy {proxy_name(proxy)}" if proxy else ""


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, whatever way it is written."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return _is_short_loopback(name)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _is_short_loopback(name: str) -> bool:
    """Such as `127.1`."""
    try:
        return socket.inet_aton(name)[0] == ipaddress.ip_address("127.0.0.1").packed[0]
    except (OSError, UnicodeError):
        return False


def exempt_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """Add loopback to `NO_PROXY`, for libraries that read the variables themselves: the OTLP exporters and child processes."""
    if not any(name.lower().endswith("_proxy") and name not in _EXEMPTIONS for name in environment):
        return
    given = next((environment[name] for name in _EXEMPTIONS if environment.get(name, "").strip()), "")
    if given.strip() == "*":
        return
    names = dict.fromkeys(filter(None, (*map(str.strip, given.split(",")), *LOOPBACK)))
    environment.update(dict.fromkeys(_EXEMPTIONS, ",".join(names)))
