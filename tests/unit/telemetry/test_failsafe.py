import pytest

from telemetry.failsafe import failsafe


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    monkeypatch.setattr("telemetry.failsafe._warned", set())


@failsafe
def divide(number, by=0):
    """Divide."""
    return number / by


def test_what_it_gives_is_given_on():
    assert divide(6, by=3) == 2


def test_what_it_raises_goes_no_further():
    assert divide(1) is None


def test_the_first_failure_of_each_is_a_warning_and_no_other(caplog):
    @failsafe
    def other():
        raise KeyError("gone")

    for _ in range(3):
        divide(1)
        other()

    assert ["divide" in caplog.messages[0], "other" in caplog.messages[1]] == [True, True]
    assert len(caplog.records) == 2
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_not_an_exception_but_an_order_is_obeyed(error):
    @failsafe
    def ordered():
        raise error

    with pytest.raises(error):
        ordered()


def test_it_is_called_what_it_was_called():
    assert (divide.__name__, divide.__doc__) == ("divide", "Divide.")
