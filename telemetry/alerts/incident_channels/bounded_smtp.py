"""The client of the standard library for SMTP, with one deadline for everything: name resolution, connecting, TLS, and each reply."""

import queue
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from typing import Any, Final

from telemetry.http_client.deadline_backend import resolve

_PIECE_BYTES: Final = 4096
_MAX_LINE: Final = 8192
_MAX_RECEIVED: Final = 2**20
_LEAVE_SECONDS: Final = 1.0


class BoundedSmtp(smtplib.SMTP):
    """`deadline` is a `time.monotonic()`. With `tls` the connection begins with TLS."""

    def __init__(self, deadline: float, tls: ssl.SSLContext | None = None) -> None:
        self._deadline = deadline
        self._implicit_tls = tls
        self._received = 0
        super().__init__(local_hostname="[127.0.0.1]")  # the name of this host would be looked up without a deadline

    def connect(self, host: str = "localhost", port: int = 0, *_others: Any) -> tuple[int, bytes]:
        self._host = host  # STARTTLS checks the certificate by it
        return super().connect(host, port)

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        """One address after the other, within the deadline."""
        failure: OSError = OSError("the name has no address")
        for address in _addresses(host, port, self._remaining()):
            try:
                connection = socket.create_connection((address, port), self._remaining())
            except OSError as error:
                failure = error
                continue
            return self._with_tls(connection, host)
        raise failure

    def _with_tls(self, connection: socket.socket, host: str) -> socket.socket:
        connection.settimeout(self._remaining())
        return self._implicit_tls.wrap_socket(connection, server_hostname=host) if self._implicit_tls else connection

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _ReplyLines(self)
        return super().getreply()

    def receive(self) -> bytes:
        """The next bytes; none when the server has hung up."""
        if self.sock is None:
            return b""
        self.sock.settimeout(self._remaining())
        piece = self.sock.recv(_PIECE_BYTES)
        self._received += len(piece)
        if self._received > _MAX_RECEIVED:
            raise OSError(f"the server sends more than {_MAX_RECEIVED:,} bytes")
        return piece

    def send(self, s: Any) -> None:
        data = s.encode("ascii") if isinstance(s, str) else bytes(s)
        for start in range(0, len(data), _PIECE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(self._remaining())
            super().send(data[start : start + _PIECE_BYTES])

    def encrypt(self, context: ssl.SSLContext) -> None:
        """STARTTLS. The handshake has the time that is left when it begins."""
        self.ehlo_or_helo_if_needed()
        if self.sock is not None:
            self.sock.settimeout(self._remaining())
        self.starttls(context=context)

    def leave(self) -> None:
        """Say good-bye, if that is quick, and hang up."""
        self._deadline = min(self._deadline, time.monotonic() + _LEAVE_SECONDS)
        with suppress(OSError, ValueError, smtplib.SMTPException):
            self.quit()
        with suppress(OSError):
            self.close()

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        return remaining


class _ReplyLines:
    """The lines that the server sends, as `smtplib` reads them."""

    def __init__(self, smtp: BoundedSmtp) -> None:
        self._smtp = smtp
        self._buffer = b""

    def readline(self, limit: int = _MAX_LINE) -> bytes:
        while b"\n" not in self._buffer and len(self._buffer) < limit:
            piece = self._smtp.receive()
            if not piece:
                break
            self._buffer += piece
        end = min(limit, self._buffer.find(b"\n") + 1 or len(self._buffer))
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def close(self) -> None:
        self._buffer = b""


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    try:
        return resolve(host, port, seconds)
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    except UnicodeError as error:
        raise OSError(str(error)) from None
