"""The e-mail channel against a strict SMTP server on loopback."""

import time

import pytest
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.incident_channels.email_channel import EmailChannel, MailServer
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.rendering.message import Message
from tests.support.mail_server import PASSWORD, USER, hangs, hangs_up, mail_server, self_signed, trickles
from tests.unit.telemetry.alerts.incident_channels.conftest import event
from tests.unit.telemetry.alerts.incident_channels.test_incident_channels import HANG, ODD_TEXTS

OPEN, UPDATE, ACKNOWLEDGE, RESOLVE = IncidentStep
SENDER, RECIPIENTS = "alerts@shop.example", ("anna@shop.example", "boris@shop.example")


@pytest.fixture
def server():
    with mail_server() as server:
        yield server


def channel_to(server, tls="off", seconds=5.0, **login):
    return EmailChannel(MailServer("127.0.0.1", server.port, tls, **login), SENDER, RECIPIENTS, seconds)


def failure(server, seconds=5.0, **values):
    began = time.monotonic()
    with pytest.raises(ChannelError) as raised:
        channel_to(server, seconds=seconds, **values).deliver(event())
    assert time.monotonic() - began < HANG
    return raised.value


def test_the_steps_of_an_incident_are_one_thread(server):
    channel, remote_id = channel_to(server), ""

    for step in (OPEN, UPDATE, ACKNOWLEDGE, RESOLVE):
        remote_id = channel.deliver(event(step, remote_id=remote_id, summary=f"{step} failed"))

    first, *others = server.parsed
    assert first["In-Reply-To"] is None
    assert (
        {other["In-Reply-To"] for other in others} == {other["References"] for other in others} == {first["Message-ID"]}
    )
    assert len({mail["Message-ID"] for mail in server.parsed}) == 4
    assert first["Subject"] == "[ERROR] shop: open failed"
    assert {other["Subject"] for other in others} == {"Re: [ERROR] shop: open failed"}


def test_a_mail_is_from_a_machine_and_to_all_recipients(server):
    channel_to(server).deliver(event(trace_url="https://traces.example/1"))

    (mail,) = server.parsed
    assert (mail["From"], mail["To"]) == (SENDER, "anna@shop.example, boris@shop.example")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.timestamp() == pytest.approx(time.time(), abs=600)
    assert mail.get_content().replace("\r\n", "\n") == "❌ ERROR\nshop failed\n\nhttps://traces.example/1\n"


def test_a_mail_that_is_sent_again_has_the_same_id(server):
    for _ in range(2):
        channel_to(server).deliver(event())

    assert len({mail["Message-ID"] for mail in server.parsed}) == 1


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_texts_are_ascii_lines_of_a_mail(server, text):
    odd = {"component": text, "summary": text, "message": Message(text, text)}

    channel_to(server).deliver(event(**odd))

    (mail,) = server.parsed
    assert not mail.defects
    assert len(mail["Subject"]) < 200


@pytest.mark.parametrize(
    "injected", ["x\r\nBcc: thief@evil.example", "x\nBcc: thief@evil.example", "x\r\n\r\n.\r\nMAIL"]
)
def test_a_text_adds_no_header_and_no_command(server, injected):
    channel_to(server).deliver(
        event(component=injected, summary=injected, message=Message("", injected), fingerprint=injected)
    )

    (mail,) = server.parsed
    assert mail["Bcc"] is None
    assert sorted(mail.keys()) == sorted(set(mail.keys()))
    assert server.commands == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    found = self_signed(tmp_path_factory.mktemp("certificate"))
    return found or pytest.skip("openssl is not on the PATH")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_login_is_only_sent_by_tls(certificate, monkeypatch, tls):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    login = {"username": USER, "password": SecretStr(PASSWORD)}

    with mail_server(certificate[1], implicit=tls == "tls") as server:
        channel = channel_to(server, tls, **login)
        channel.deliver(event())

        assert len(server.mails) == 1
        assert server.logins == [USER]
        assert channel.probe() == "127.0.0.1 accepts the login"
        assert len(server.mails) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_signed_gets_no_login(certificate, tls):
    with mail_server(certificate[1], implicit=tls == "tls") as server:
        error = failure(server, tls=tls, username=USER, password=SecretStr(PASSWORD))

        assert error.permanent
        assert "certificate of 127.0.0.1 is not valid" in str(error)
        assert server.logins == []


def test_a_server_without_starttls_gets_no_mail(server):
    error = failure(server, tls="starttls")

    assert error.permanent
    assert "STARTTLS" in str(error)
    assert server.mails == []


def test_a_wrong_password_disables_the_channel(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))

    with mail_server(certificate[1]) as server:
        error = failure(server, tls="starttls", username=USER, password=SecretStr("another-one"))

    assert error.permanent
    assert "535: 5.7.8 wrong password" in str(error)


@pytest.mark.parametrize(
    ("verb", "reply", "flags"),
    [
        ("connect", b"421 too busy", ()),
        ("connect", b"<html>a proxy</html>", ()),
        ("MAIL", b"451 try later", ()),
        ("MAIL", b"550 5.7.1 not your address", ("permanent",)),
        ("RCPT", b"450 greylisted", ()),
        ("RCPT", b"550 5.1.1 no such user", ("permanent",)),
        ("end of data", b"452 disk full", ()),
        ("end of data", b"552 too large", ("message_rejected",)),
        ("end of data", b"554 5.7.1 looks like spam", ("message_rejected",)),
        ("end of data", hangs_up, ("outcome_unknown",)),
        ("MAIL", hangs_up, ()),
        ("connect", hangs_up, ()),
    ],
)
def test_a_reply_means_what_its_code_says(server, verb, reply, flags):
    server.replies[verb] = reply

    error = failure(server)

    assert tuple(name for name in ("permanent", "message_rejected", "outcome_unknown") if getattr(error, name)) == flags


@pytest.mark.parametrize("behaviour", [hangs, trickles], ids=["silent", "trickling"])
@pytest.mark.parametrize(("verb", "is_doubtful"), [("connect", False), ("RCPT", False), ("end of data", True)])
def test_no_server_holds_a_mail_up_beyond_its_deadline(server, verb, is_doubtful, behaviour):
    server.replies[verb] = behaviour

    assert failure(server, seconds=0.4).outcome_unknown == is_doubtful


def test_a_server_that_never_ends_its_reply_is_left(server):
    server.replies["EHLO"] = lambda session: [
        session.request.sendall(b"250-" + b"x" * 4000 + b"\r\n") for _ in range(1000)
    ]

    assert not failure(server).outcome_unknown


def test_a_server_that_is_away_has_got_nothing():
    with mail_server() as server:
        pass

    error = failure(server)

    assert (error.outcome_unknown, error.permanent) == (False, False)
    assert "127.0.0.1 cannot be reached" in str(error)
