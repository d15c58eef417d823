"""The directory of external services: maps a URL to a service and an endpoint of a bounded list."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from telemetry import semconv

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ExternalService:
    """A service that the application calls; `endpoints` are path templates such as `/bot{token}/sendMessage`."""

    name: str
    base_url: str
    endpoints: Sequence[str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The part of a URL that is safe for telemetry: never the path itself, which may contain a token."""

    service: str
    template: str
    base_url: str
    address: str = ""
    port: int = 0

    @property
    def is_known(self) -> bool:
        """Whether the service is in the directory."""
        return self.service != semconv.OTHER

    def attributes(self) -> dict[str, str | int]:
        """The attributes of a request to it, in the words of OpenTelemetry's conventions; those that are unknown are left out."""
        attributes: dict[str, str | int] = {}
        if self.is_known:
            attributes[semconv.PEER_SERVICE] = self.service
        if self.template.startswith("/"):
            attributes[semconv.URL_TEMPLATE] = self.template
        if self.address:
            attributes |= {semconv.SERVER_ADDRESS: self.address, semconv.SERVER_PORT: self.port}
        return attributes

    @property
    def public_url(self) -> str:
        return f"{self.base_url}{self.template}" if self.template.startswith("/") else f"{self.base_url}/…"


UNKNOWN_ENDPOINT: Final = Endpoint(semconv.OTHER, semconv.UNMATCHED, "")


class ServiceDirectory:
    """Finds the endpoint of a URL. An unknown path is `unmatched`, an unknown host is service `other`."""

    def __init__(self, services: Iterable[ExternalService] = ()) -> None:
        known = [(*_split(urlsplit(service.base_url)), service) for service in services]
        self._known = sorted(known, key=lambda entry: -len(entry[1]))  # the longest path first
        self._patterns = {template: _pattern(template) for _, _, service in known for template in service.endpoints}

    def find(self, url: str) -> Endpoint:
        parts = urlsplit(url)
        origin, path = _split(parts)
        server = (parts.hostname or "", _port(parts))
        candidates = [
            (service, path.removeprefix(prefix))
            for known_origin, prefix, service in self._known
            if origin == known_origin and f"{path}/".startswith(f"{prefix}/")
        ]
        for service, rest in candidates:
            if template := self._template(service, rest):
                return Endpoint(service.name, template, _public(service.base_url), *server)
        if candidates:
            service = candidates[0][0]
            return Endpoint(service.name, semconv.UNMATCHED, _public(service.base_url), *server)
        return Endpoint(semconv.OTHER, semconv.UNMATCHED, origin, *server)

    def _template(self, service: ExternalService, path: str) -> str | None:
        return next((each for each in service.endpoints if self._patterns[each].fullmatch(path)), None)


def _public(base_url: str) -> str:
    """A base URL without its user and password."""
    return re.sub(r"//[^/]*@", "//", base_url).rstrip("/")


def _split(parts: SplitResult) -> tuple[str, str]:
    """The origin (`https://host:443`), and the path without a trailing slash."""
    return f"{parts.scheme}://{parts.hostname}:{_port(parts)}", parts.path.rstrip("/")


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:  # an invalid port: the request itself will fail
        return 0


def _pattern(template: str) -> re.Pattern[str]:
    literal = (re.escape(part) for part in re.split(r"\{[^}]*\}", template))
    return re.compile("[^/]+".join(literal))
