"""Trust: whoever calls out trusts the same authorities, which are read once."""

import ssl

import pytest

from service.integrations.http.transport import BoundedTransport
from telemetry.tls import trusted


def test_the_authorities_are_read_once_for_all_clients(monkeypatch):
    first = trusted()

    monkeypatch.setattr("httpx.create_ssl_context", pytest.fail)

    assert trusted() is first
    BoundedTransport().close()


def test_a_certificate_and_its_name_are_checked():
    assert (trusted().verify_mode, trusted().check_hostname) == (ssl.CERT_REQUIRED, True)
    assert trusted().get_ca_certs()


def test_authorities_of_ones_own_are_those_of_the_variables(monkeypatch, tmp_path):
    """Of a company's proxy, as a rule."""
    everybodys = trusted()
    one = tmp_path / "one.pem"
    one.write_text(ssl.DER_cert_to_PEM_cert(everybodys.get_ca_certs(binary_form=True)[0]))

    monkeypatch.setenv("SSL_CERT_FILE", str(one))

    assert len(trusted().get_ca_certs()) == 1 < len(everybodys.get_ca_certs())
