"""The images that stand in for those of docker-compose.yml, and the servers of Debian that they are made from."""

import pytest

from tests.support.processes import ROOT
from tools.build_cache import NotBuiltError
from tools.stack import debian, images

CONTEXTS = ROOT / "tools" / "stack" / "images"


def test_every_image_of_compose_can_be_made():
    made = {str(images.services(images.OPEN)[path.name]["image"]) for path in CONTEXTS.iterdir() if path.name != "base"}

    assert {str(each["image"]) for each in images.services(images.OPEN).values()} == made | {"sovani:local"}


def test_the_stores_of_the_profile_are_made_for_it_alone():
    assert images.services(images.OPEN).keys() - images.services().keys() == {"jaeger", "victorialogs"}


def test_both_stages_of_the_image_begin_with_one_that_is_made_by_debootstrap():
    assert images.base_name() == "debian:trixie-slim"


def test_another_release_comes_from_the_servers_that_apt_reads(monkeypatch: pytest.MonkeyPatch):
    known = "Debian|http://one.test/debian\nDebian-Security|http://two.test/security\nother|http://three.test\n"
    monkeypatch.setattr(debian, "run", lambda *_: known)

    assert debian.repositories("trixie") == [
        "deb http://one.test/debian trixie main",
        "deb http://one.test/debian trixie-updates main",
        "deb http://two.test/security trixie-security main",
    ]


def test_without_a_server_of_debian_the_error_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(debian, "run", lambda *_: "other|http://three.test\n")

    with pytest.raises(NotBuiltError, match="apt has no server of Debian"):
        debian.repositories("trixie")
