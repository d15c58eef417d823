"""What a scraper wants by its headers: the format of the page, and whether it is compressed (RFC 9110, section 12.5)."""

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

TEXT_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_VERSIONS: Final = {"text/plain": ("0.0.4",), "application/openmetrics-text": ("1.0.0", "0.0.1")}
"""Versions that a scraper may ask for. That of OpenMetrics 0.0.1 is what 1.0.0 became."""
_MIN_COMPRESSED: Final = 1024  # bytes: less is one packet anyhow
_COMPRESSION: Final = 1  # a higher level takes several times as long, for a tenth less
_MAX_HEADER: Final = 4096  # characters
_WEIGHT: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


@dataclass(frozen=True, slots=True)
class _Range:
    """One element of a header: a media range or a coding, with its parameters and its weight."""

    value: str
    parameters: Mapping[str, str]
    weight: float


def negotiate_content_type(accept: str) -> str:
    """The content type for an `Accept` header, several of which are joined by commas.

    The text format where neither is acceptable, as servers may do, and where both are as good and none is named.
    """
    return _content_type(accept[:_MAX_HEADER])


@lru_cache(maxsize=64)
def _content_type(accept: str) -> str:
    ranges = list(_elements(accept))
    openmetrics, is_named = _preference(ranges, "application/openmetrics-text")
    text, _ = _preference(ranges, "text/plain")
    return (
        OPENMETRICS_CONTENT_TYPE if openmetrics > text or (openmetrics == text > 0 and is_named) else TEXT_CONTENT_TYPE
    )


def _preference(ranges: list[_Range], media_type: str) -> tuple[float, bool]:
    """The weight of the most specific ranges that a media type is in, and whether they name it."""
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        weights = [
            each.weight
            for each in ranges
            if each.value == name and each.parameters.get("version", _VERSIONS[media_type][0]) in _VERSIONS[media_type]
        ]
        if weights:
            return max(weights), name == media_type
    return 0.0, False


def compress(page: bytes, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """The page compressed, if that is acceptable and worth it, and the headers that say so."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    if len(page) < _MIN_COMPRESSED or not _accepts_gzip(accept_encoding[:_MAX_HEADER]):
        return page, headers
    return gzip.compress(page, _COMPRESSION, mtime=0), headers | {"Content-Encoding": "gzip"}


@lru_cache(maxsize=64)
def _accepts_gzip(accept_encoding: str) -> bool:
    weights = {each.value: each.weight for each in _elements(accept_encoding)}
    gzip_weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip_weight > 0 and gzip_weight >= weights.get("identity", 0.0)


def _elements(header: str) -> Iterator[_Range]:
    """The elements that are well-formed, in lower case."""
    for element in header.lower().split(","):
        value, *parameters = (part.strip() for part in element.split(";"))
        named = {
            name.strip(): text.strip().strip('"') for name, _, text in (each.partition("=") for each in parameters)
        }
        weight = named.pop("q", "1")
        if value and _WEIGHT.match(weight):
            yield _Range(value, named, float(weight))
