"""Trust: the certificates of authorities, read once for the process: for each client anew it takes some 40 ms."""

import os
import ssl
from functools import cache

import httpx


def ssl_context() -> ssl.SSLContext:
    """What httpx trusts: the authorities of `SSL_CERT_FILE` or `SSL_CERT_DIR`, or those that it brings. Shared: not to be changed."""
    return _create_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _create_context(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()
