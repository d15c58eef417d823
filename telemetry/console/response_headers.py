"""Headers of the console's responses: a browser shows them, and loads or runs nothing else than the console's own files."""

from typing import Final

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_COMMON: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PAGE_HEADERS: Final = {**_COMMON, "cache-control": "no-store", "vary": "accept-encoding, cookie, x-console-fragment"}
FILE_HEADERS: Final = {**_COMMON, "cache-control": "private, max-age=31536000, immutable"}
"""For files whose URL changes when they do."""
