import pytest

from service.cli import doctor


@pytest.fixture
def without_selftest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor without the self-test, which runs in a process of its own: for a test of its other checks."""
    names = ("request", "query", "call", "job", "log")
    monkeypatch.setattr(doctor.IsolatedSelfTest, "checks", lambda _self: dict.fromkeys(names, lambda: "left out"))
