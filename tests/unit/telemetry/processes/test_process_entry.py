"""What identifies a process: its pid is not enough."""

import os

import psutil

from telemetry.processes import process_entry


def test_a_name_is_stable_and_that_of_one_process():
    assert process_entry.name_of(os.getpid()) == process_entry.name_of(os.getpid())
    assert process_entry.name_of(os.getpid()) != process_entry.name_of(os.getppid())


def test_a_process_that_does_not_exist_has_no_start_time():
    assert process_entry.name_of(999999999) == "999999999-"


def test_without_proc_the_creation_time_tells_a_process_from_others(tmp_path, monkeypatch):
    monkeypatch.setattr(process_entry, "Path", lambda *_: tmp_path / "no /proc here")

    assert process_entry.start_time(os.getpid()) == str(int(psutil.Process().create_time()))
