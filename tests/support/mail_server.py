"""A strict SMTP server on loopback: it takes what RFC 5321 allows, keeps the mails, and fails on request."""

import base64
import shutil
import socketserver
import ssl
import subprocess
import threading
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default

USER, PASSWORD = "alerts", "mail-canary-1"


class MailServer(socketserver.ThreadingTCPServer):
    """`replies` are instead of its own, by command (`connect`, `MAIL`, `RCPT`, `DATA`, `end of data`, …): bytes, or a function
    that is called with the connection. With a `context` it offers STARTTLS, or begins with TLS.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context=None, *, implicit=False):
        super().__init__(("127.0.0.1", 0), _Session)
        self.port = self.server_address[1]
        self.context, self.implicit = context, implicit
        self.replies, self.mails, self.commands, self.logins = {}, [], [], []
        self.released = threading.Event()

    @property
    def parsed(self):
        return [message_from_bytes(mail, policy=default) for mail in self.mails]

    def handle_error(self, _request, _client_address):
        """Clients hang up on purpose."""


@contextmanager
def mail_server(context=None, *, implicit=False):
    with MailServer(context, implicit=implicit) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(5)


class _Session(socketserver.BaseRequestHandler):
    def handle(self):
        self.has_tls = self.server.implicit
        if self.has_tls:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.file = self.request.makefile("rb")
        self.sender, self.recipients, self.is_logged_in = None, [], False
        if self._reply("connect", b"220 mail.example ESMTP"):
            while line := self.file.readline(1002):
                self._require_line(line)
                if not self._command(line.decode("ascii").strip()):
                    return

    def finish(self):
        self.request.close()  # after TLS it is another socket than the server's

    def _require_line(self, line):
        assert line.endswith(b"\r\n"), line
        assert len(line) <= 1000, "RFC 5321, 4.5.3.1: a line has at most 1000 octets"

    def _command(self, line):
        verb = line.split(" ")[0].upper()
        self.server.commands.append(verb)
        known = getattr(self, f"_{verb.lower()}", None)
        return self._reply(verb, b"502 unknown command" if known is None else known(line))

    def _reply(self, verb, own):
        given = self.server.replies.get(verb, own)
        if callable(given):
            given(self)
            return False
        self.request.sendall(given + b"\r\n" if given else b"")
        return verb != "QUIT" and given is not None

    def _ehlo(self, _line):
        secure = self.has_tls or self.server.context is None
        offered = [b"AUTH PLAIN"] if secure else [b"STARTTLS"]
        return b"\r\n".join([b"250-mail.example", *(b"250-" + each for each in offered), b"250 SIZE 1000000"])

    def _starttls(self, _line):
        if "STARTTLS" in self.server.replies:
            return b""
        self.request.sendall(b"220 go on\r\n")
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.file, self.has_tls = self.request.makefile("rb"), True
        return b""

    def _auth(self, line):
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        self.server.logins.append(user)
        self.is_logged_in = (user, password) == (USER, PASSWORD)
        return b"235 welcome" if self.is_logged_in else b"535 5.7.8 wrong password"

    def _mail(self, line):
        if self.server.context is not None and not self.is_logged_in:
            return b"530 5.7.0 authentication required"
        self.sender, self.recipients = line.partition("<")[2].partition(">")[0], []
        return b"250 ok"

    def _rcpt(self, line):
        self.recipients.append(line.partition("<")[2].partition(">")[0])
        return b"250 ok" if self.sender else b"503 no sender"

    def _data(self, _line):
        if not self.recipients:
            return b"503 no recipient"
        if "DATA" in self.server.replies:
            return b""
        self.request.sendall(b"354 go on\r\n")
        lines = []
        while (line := self.file.readline(1002)) != b".\r\n":
            self._require_line(line)
            assert line.isascii()
            lines.append(line[1:] if line.startswith(b".") else line)
        self.server.mails.append(b"".join(lines))
        reply = self.server.replies.get("end of data", b"250 queued")
        if callable(reply):
            reply(self)
            return b""
        return reply

    def _noop(self, _line):
        return b"250 ok"

    def _quit(self, _line):
        return b"221 bye"


def hangs(session):
    session.server.released.wait(20)


def trickles(session):
    for _ in range(1000):
        session.request.sendall(b"2")
        if session.server.released.wait(0.02):
            return


def hangs_up(session):
    session.request.close()


def self_signed(directory):
    """A certificate for 127.0.0.1, as a file for the client and a context for the server; None where there is no openssl."""
    if shutil.which("openssl") is None:
        return None
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
