"""The group of a process: by the socket that it serves at, or by a name."""

import os
import socket
from pathlib import Path

import pytest

from telemetry.processes import process_group, server_sockets
from telemetry.processes.process_entry import name_of
from telemetry.processes.process_group import find_group, is_keeper_alive
from telemetry.processes.server_sockets import SocketsUnknown, own_server_sockets
from tests.support.forking import in_child


@pytest.fixture
def bound():
    made = []

    def make(address=("127.0.0.1", 0), family=socket.AF_INET, *, reusable=False, listening=True):
        made.append(found := socket.socket(family, socket.SOCK_STREAM))
        if reusable:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(address)
        if listening:
            found.listen()
        return found

    yield make
    for each in made:
        each.close()


def group(*, may_be_inherited=False):
    found = find_group(None, may_be_inherited=may_be_inherited)
    return found and found.name


def in_two_children():
    return [in_child(group) for _ in range(2)]


def test_a_process_that_serves_alone_has_no_group(bound):
    bound()

    assert group() is None
    assert group(may_be_inherited=True) is None  # the parent's sockets are shown


@pytest.mark.parametrize("listening", [True, False])
def test_processes_that_have_inherited_a_socket_are_one_group(bound, listening):
    """uvicorn's parent only binds it."""
    bound(listening=listening)
    one, other = in_two_children()

    bound(listening=listening).close()
    assert one == other
    assert one.startswith("socket-")


def test_two_sockets_are_two_groups(bound):
    first = bound()
    one, _ = in_two_children()
    first.close()
    bound()
    other, _ = in_two_children()

    assert one != other


def test_several_sockets_are_one_group_whatever_else_a_worker_opens(bound):
    bound()
    bound()

    def with_a_socket_of_its_own():
        bound()
        return group()

    assert len({in_child(with_a_socket_of_its_own), in_child(with_a_socket_of_its_own), *in_two_children()}) == 1


def test_a_unix_socket_is_as_good_and_an_abstract_one_too(bound, tmp_path):
    bound(str(tmp_path / "server.sock"), socket.AF_UNIX)
    one, other = in_two_children()
    assert one == other
    assert one.startswith("socket-")

    bound(f"\0{tmp_path}", socket.AF_UNIX)
    assert len(set(in_two_children())) == 1


def test_sockets_of_one_address_and_port_are_one_group_and_those_of_another_port_are_not(bound):
    mine = bound(reusable=True)
    theirs = bound(mine.getsockname(), reusable=True)
    here = group()
    mine.close()
    there = group()
    theirs.close()
    bound(reusable=True)

    assert here == there
    assert here.startswith("port-")
    assert group() != here


def test_a_socket_of_another_family_or_network_is_another_group(bound, monkeypatch):
    mine = bound(reusable=True)
    here = group()
    monkeypatch.setattr(process_group, "_network", lambda: "another container")
    assert group() != here
    monkeypatch.undo()
    mine.close()
    bound(("::1", mine.getsockname()[1] if mine.fileno() >= 0 else 0), socket.AF_INET6, reusable=True)
    assert group() != here


def test_a_reusable_socket_that_only_is_bound_does_not_serve_yet(bound):
    found = bound(reusable=True, listening=False)
    assert group() is None

    found.listen()

    assert group().startswith("port-")


def test_connections_are_no_sockets_of_a_server(bound):
    """Nor is one that its client has reset: it has the server's address and no peer."""
    server = bound(reusable=True)
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    server.close()
    assert own_server_sockets() == []

    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    with pytest.raises(ConnectionResetError):
        accepted.recv(1)

    assert group() is None
    accepted.close()


def test_a_name_that_is_given_says_it_alone(bound):
    bound(reusable=True)

    assert find_group("shop", may_be_inherited=True) == process_group.ProcessGroup("named-shop")


def test_the_parent_that_has_the_socket_keeps_the_group(bound):
    bound()
    name = name_of(os.getpid())

    keeper = in_child(lambda: find_group("shop", may_be_inherited=False).keeper)

    assert keeper.endswith(name)
    assert is_keeper_alive(keeper)
    assert not is_keeper_alive(keeper.replace(name, "999999999-7"))


def test_where_the_sockets_of_the_parent_are_not_shown_those_at_the_start_are_taken_for_inherited(bound, monkeypatch):
    """gunicorn is root, and its workers are not."""

    def denied(_pid):
        raise PermissionError(13, "Permission denied")

    bound()
    monkeypatch.setattr(process_group, "socket_inodes", denied)

    assert group(may_be_inherited=True).startswith("socket-")
    assert group(may_be_inherited=False) is None


def test_a_parent_that_has_ended_shares_nothing(bound, monkeypatch):
    bound()
    monkeypatch.setattr(process_group.os, "getppid", lambda: 999999999)

    assert group(may_be_inherited=True) is None


def test_where_the_system_shows_no_sockets_only_a_name_helps(monkeypatch):
    monkeypatch.setattr(server_sockets, "_DESCRIPTORS", (Path("/nowhere"),))

    with pytest.raises(SocketsUnknown):
        group()
    assert find_group("shop", may_be_inherited=True).name == "named-shop"


def test_without_proc_the_sockets_at_the_start_are_taken_for_inherited(bound, monkeypatch):
    bound()

    def missing(_pid):
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(process_group, "socket_inodes", missing)
    monkeypatch.setattr(process_group, "_PROCESSES", Path("/nowhere"))
    monkeypatch.setattr(process_group, "_BOOT", Path("/nowhere"))
    monkeypatch.setattr(process_group, "_NETWORK", Path("/nowhere"))

    assert group(may_be_inherited=True).startswith("socket-")
    assert group() is None


def test_without_names_of_networks_addresses_tell_groups_apart(bound, monkeypatch):
    monkeypatch.setattr(process_group, "_NETWORK", Path("/nowhere"))
    bound(reusable=True)

    assert group().startswith("port-")
