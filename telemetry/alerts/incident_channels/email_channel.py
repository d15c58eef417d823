"""The e-mail channel: one SMTP session for each step, with STARTTLS or TLS, within one deadline.

The rules are those of RFC 5321 (4yz is for now, 5yz for good; a message is accepted with the reply to its data) and of RFC 6409 and 8314.
"""

import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final, Literal

import httpx
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.http_call import SEND_SECONDS
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.bounded_smtp import BoundedSmtp
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_mail import mail, subject
from telemetry.error_text import safe_text

NAME: Final = "email"
_PERMANENT: Final = 500
_OK: Final = range(200, 300)
_MAX_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """`tls` is `off` for a server on this machine. Without a password there is no login."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "off"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None


class EmailChannel:
    """Sends a mail for each step. A remote id is the subject of the first mail."""

    name: Final = NAME
    rate_limit: Final = ChannelRateLimit(2.0, 20)
    steps: Final = frozenset(IncidentStep)

    def __init__(
        self, server: MailServer, sender: str, recipients: tuple[str, ...], seconds: float = SEND_SECONDS
    ) -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._seconds = seconds
        self._tls: ssl.SSLContext | None = None

    def close(self) -> None:
        """Each mail has a connection of its own."""

    def deliver(self, event: IncidentEvent) -> str:
        message = mail(event, self._sender, self._recipients)
        with self._session() as smtp:
            self._send(smtp, message)
        return subject(event)

    def probe(self) -> str:
        """Log in and send nothing.

        Raises:
            ChannelError: the server does not accept that, or cannot be reached.
        """
        with self._session() as smtp:
            _require(*smtp.noop())
        return f"{self._server.host} accepts {'the login' if self._server.password else 'the connection'}"

    @contextmanager
    def _session(self) -> Iterator[BoundedSmtp]:
        server, smtp = self._server, None
        try:
            smtp = BoundedSmtp(time.monotonic() + self._seconds, self._context() if server.tls == "tls" else None)
            _require(*smtp.connect(server.host, server.port))
            if server.tls == "starttls":
                smtp.encrypt(self._context())
            if server.username is not None and server.password is not None:
                smtp.login(server.username, server.password.get_secret_value())
            yield smtp
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise _failure(error, server.host) from None
        finally:
            if smtp is not None:
                smtp.leave()

    def _send(self, smtp: BoundedSmtp, message: EmailMessage) -> None:
        smtp.ehlo_or_helo_if_needed()
        _require(*smtp.mail(self._sender))
        replies = [smtp.rcpt(each) for each in self._recipients]
        if not any(code in _OK for code, _ in replies):
            _require(*replies[0])
        try:
            code, reply = smtp.data(message.as_bytes())
        except smtplib.SMTPDataError as error:  # it did not want any data
            code, reply = error.smtp_code, _bytes(error.smtp_error)
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            raise ChannelError(f"{NAME}: no reply to the message: {error}", outcome_unknown=True) from None
        if code >= _PERMANENT:
            raise ChannelError(f"{NAME} rejects a message ({_reason(code, reply)})", message_rejected=True)
        _require(code, reply)

    def _context(self) -> ssl.SSLContext:
        """Not the one of the HTTP clients, which announces HTTP."""
        self._tls = self._tls or httpx.create_ssl_context()
        return self._tls


def _require(code: int, reply: bytes) -> None:
    if code not in _OK:
        raise smtplib.SMTPResponseException(code, reply)


def _failure(error: Exception, host: str) -> ChannelError:
    """Of a session before its message was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ChannelError(f"{NAME}: the certificate of {host} is not valid: {error.verify_message}", permanent=True)
    if isinstance(error, smtplib.SMTPException):
        return _refusal(error)
    return ChannelError(f"{NAME}: {host} cannot be reached: {safe_text(error)}")


def _refusal(error: smtplib.SMTPException) -> ChannelError:
    if isinstance(error, smtplib.SMTPResponseException):
        reason = _reason(error.smtp_code, _bytes(error.smtp_error))
        return ChannelError(f"{NAME}: the server refuses ({reason})", permanent=error.smtp_code >= _PERMANENT)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ChannelError(f"{NAME}: the server cannot do it: {error}", permanent=True)
    return ChannelError(f"{NAME}: the server hung up: {error}")


def _reason(code: int, reply: bytes) -> str:
    return f"{code}: {' '.join(reply.decode('utf-8', 'replace').split())[:_MAX_REASON] or 'no reason'}"


def _bytes(reply: bytes | str) -> bytes:
    return reply if isinstance(reply, bytes) else reply.encode("utf-8", "replace")
