"""The TLS context: one for all clients, with the CA certificates read once."""

import ssl

import pytest

from telemetry.http_client.transport import BoundedTransport
from telemetry.tls import ssl_context


def test_the_ca_certificates_are_read_once_for_all_clients(monkeypatch):
    first = ssl_context()

    monkeypatch.setattr("httpx.create_ssl_context", pytest.fail)

    assert ssl_context() is first
    BoundedTransport(2**20).close()


def test_a_certificate_and_its_name_are_checked():
    assert (ssl_context().verify_mode, ssl_context().check_hostname) == (ssl.CERT_REQUIRED, True)
    assert ssl_context().get_ca_certs()


def test_own_ca_certificates_come_from_the_variables(monkeypatch, tmp_path):
    """Usually a company's proxy."""
    default = ssl_context()
    one = tmp_path / "one.pem"
    one.write_text(ssl.DER_cert_to_PEM_cert(default.get_ca_certs(binary_form=True)[0]))

    monkeypatch.setenv("SSL_CERT_FILE", str(one))

    assert len(ssl_context().get_ca_certs()) == 1 < len(default.get_ca_certs())
