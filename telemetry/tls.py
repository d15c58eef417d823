"""The TLS context for HTTP clients, created once for the process: loading the CA certificates takes some 40 ms."""

import os
import ssl
from functools import cache

import httpx


def ssl_context() -> ssl.SSLContext:
    """A context with httpx's CA certificates: of `SSL_CERT_FILE` or `SSL_CERT_DIR`, else its own. Shared: do not modify it."""
    return _create_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _create_context(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()
