import os
from pathlib import Path

import pytest

from telemetry.profiling import ptrace_permission
from telemetry.profiling.ptrace_permission import allow_children, disallow_children, why_refused

ALL = "CapEff:\t000001ffffffffff\n"
NO_PTRACE = "CapEff:\t000001fffff7ffff\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with these properties."""

    def machine(
        *,
        user=1000,
        owner="shop",
        me="shop",
        scope=None,
        container=False,
        capabilities=NO_PTRACE,
        users="0 0 4294967295",
    ):
        yama, status, sign, ids = (tmp_path / name for name in ("yama", "status", "sign", "ids"))
        if scope is not None:
            yama.write_text(f"{scope}\n")
        status.write_text(f"Name:\tpython\n{capabilities}")
        ids.write_text(f"  {users}\n")
        if container:
            sign.touch()
        monkeypatch.setattr(ptrace_permission, "_YAMA", yama)
        monkeypatch.setattr(ptrace_permission, "_STATUS", status)
        monkeypatch.setattr(ptrace_permission, "_USER_IDS", ids)
        monkeypatch.setattr(ptrace_permission, "_CONTAINER_SIGNS", (sign,))
        monkeypatch.setattr(ptrace_permission, "_owner", lambda _pid: owner)
        monkeypatch.setattr(ptrace_permission, "_own_name", lambda: me)
        monkeypatch.setattr(os, "geteuid", lambda: user)

    return machine


def test_another_user_is_named_with_what_to_do(machine):
    machine(owner="shop", me="nobody")

    assert why_refused(1) == "it belongs to the user shop: run this command as shop, or as root"


def test_a_process_of_root_needs_root(machine):
    machine(owner="root", me="shop")

    assert why_refused(1) == "it belongs to the user root: run this command as root"


@pytest.mark.parametrize("scope", [1, 2])
def test_yama_is_named_with_the_setting_that_permits_it(machine, scope):
    machine(scope=scope)

    assert why_refused(1) == (
        f"kernel.yama.ptrace_scope is {scope}: run this command as root, or sysctl kernel.yama.ptrace_scope=0"
    )


def test_yama_that_forbids_everything_says_so(machine):
    machine(scope=3, user=0)

    assert "no process may be traced until the machine is started with a lower value" in why_refused(1)


@pytest.mark.parametrize("user", [0, 1000])
def test_a_container_is_said_which_capability_it_lacks(machine, user):
    machine(container=True, user=user, scope=1)

    refusal = why_refused(1)

    assert refusal.startswith("this command lacks the capability SYS_PTRACE in this container.")
    assert all(system in refusal for system in ("Docker", "Compose", "Kubernetes"))


def test_root_without_the_capability_is_said_so(machine):
    machine(user=0, owner="", scope=1)

    assert why_refused(1).startswith("this command is root without the capability SYS_PTRACE: run it with that")


def test_root_of_a_user_namespace_is_said_that_it_is_not_root_of_the_machine(machine):
    machine(user=0, owner="nobody", me="root", capabilities=ALL, users="0 1000 1")

    assert why_refused(1).startswith("this command is root of a user namespace only: run it as root of the machine")


def test_a_container_with_the_capability_is_not_blamed(machine):
    machine(container=True, capabilities=ALL, scope=1)

    assert "ptrace_scope is 1" in why_refused(1)


def test_a_system_that_says_nothing_gets_the_general_sentence(machine, monkeypatch):
    machine()
    monkeypatch.setattr(ptrace_permission, "_STATUS", Path("/nowhere"))
    monkeypatch.setattr(ptrace_permission, "_USER_IDS", Path("/nowhere"))

    assert "SYS_PTRACE" in why_refused(1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "SYS_PTRACE" in why_refused(1)


def test_the_owner_is_asked_from_the_system():
    assert ptrace_permission._owner(os.getpid()) == ptrace_permission._own_name()
    assert ptrace_permission._owner(2**30) == ""


def test_permission_for_children_is_given_and_taken_back_wherever_that_is_known(monkeypatch):
    allow_children()
    disallow_children()
    monkeypatch.setattr(ptrace_permission.sys, "platform", "darwin")
    allow_children()
    disallow_children()
