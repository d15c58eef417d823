"""Processes that serve at the same socket, or at the same address and port, and are not in the group."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from telemetry.processes import server_sockets, strangers
from telemetry.processes.strangers import find_strangers

SERVING = """
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
print("listens", flush=True)
sys.stdin.read()
"""
HOLDING = "import sys; print('holds', flush=True); sys.stdin.read()"


@pytest.fixture
def server():
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(("127.0.0.1", 0))
        found.listen()
        yield found


@contextmanager
def other_process(program, *arguments, **options):
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def port_of(server):
    return str(server.getsockname()[1])


def test_one_that_serves_alone_has_none(server):
    assert find_strangers([]) == set()


def test_another_process_at_the_port_is_one_until_it_is_a_member(server):
    with other_process(SERVING, port_of(server)) as other:
        [name] = find_strangers([])
        assert name.startswith("socket ")
        assert find_strangers([other.pid, 999999999]) == set()
    assert find_strangers([]) == set()


def test_a_server_at_another_port_is_none(server):
    with other_process(SERVING, "0"):
        assert find_strangers([]) == set()


def test_one_of_another_user_is_none(server, monkeypatch):
    """The system does not let it share the port."""
    with other_process(SERVING, port_of(server)):
        monkeypatch.setattr(strangers.os, "geteuid", lambda: 4242)
        assert find_strangers([]) == set()


def test_another_child_of_the_parent_with_the_same_socket_is_one_when_it_has_started(server, monkeypatch):
    server.set_inheritable(True)  # the standard library's signature
    monkeypatch.setattr(strangers.os, "getppid", os.getpid)
    with other_process(HOLDING, close_fds=False) as other:
        assert find_strangers([]) == set()

        monkeypatch.setattr(strangers, "STARTUP", -1.0)
        assert find_strangers([]) == {f"process {other.pid}"}
        assert find_strangers([other.pid]) == set()


def test_another_child_of_the_parent_without_the_socket_is_none(server, monkeypatch):
    monkeypatch.setattr(strangers.os, "getppid", os.getpid)
    monkeypatch.setattr(strangers, "STARTUP", -1.0)
    with other_process(HOLDING):
        assert find_strangers([]) == set()


def test_where_the_system_does_not_tell_there_are_none(server, monkeypatch):
    with other_process(SERVING, port_of(server)):
        monkeypatch.setattr(strangers, "_TABLES", (Path("/nowhere"),))
        assert find_strangers([]) == set()
        monkeypatch.setattr(server_sockets, "_DESCRIPTORS", (Path("/nowhere"),))
        assert find_strangers([]) == set()


def test_processes_and_parents_that_are_gone_are_none(server, monkeypatch):
    monkeypatch.setattr(strangers.os, "getppid", lambda: 999999999)
    assert find_strangers([999999999]) == set()
    assert not strangers._has_settled(999999999)
