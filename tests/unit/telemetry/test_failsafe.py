import pytest

from telemetry.failsafe import failsafe


@pytest.fixture(autouse=True)
def _no_warning_yet(monkeypatch):
    monkeypatch.setattr("telemetry.failsafe._warned", set())


@failsafe
def divide(number, by=0):
    """Divide."""
    return number / by


def test_the_result_is_passed_on():
    assert divide(6, by=3) == 2


def test_an_exception_is_swallowed():
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
def test_other_base_exceptions_are_raised(error):
    @failsafe
    def ordered():
        raise error

    with pytest.raises(error):
        ordered()


def test_the_name_and_docstring_are_kept():
    assert (divide.__name__, divide.__doc__) == ("divide", "Divide.")
