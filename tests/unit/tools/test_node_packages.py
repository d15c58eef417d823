import json

from tools import node_packages

LOCK = json.loads((node_packages.NODE / "package-lock.json").read_text())


def test_every_package_is_checked_by_its_hash_and_none_has_an_address():
    installed = {name: package for name, package in LOCK["packages"].items() if name}

    assert [name for name, package in installed.items() if "integrity" not in package or "resolved" in package] == []
    assert installed["node_modules/@grafana/data"]["license"] == "Apache-2.0"


def test_no_package_runs_a_program_when_it_is_installed():
    assert not [name for name, package in LOCK["packages"].items() if package.get("hasInstallScript")]


def test_another_lock_is_another_directory(tmp_path, monkeypatch):
    found = node_packages.packages()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (tmp_path / name).write_text("{}")

    monkeypatch.setattr(node_packages, "NODE", tmp_path)

    assert node_packages.packages() != found
