"""`PYROSCOPE_SERVER_ADDRESS`: which addresses it takes."""

import pytest

from service.settings import Settings
from telemetry.environment import checked_values
from telemetry.settings import SettingsError


@pytest.mark.parametrize("url", ["http://localhost:4040", "https://profiles.example/push", "http://[::1]:4040"])
def test_an_address_is_taken_as_it_is(monkeypatch, url):
    monkeypatch.setenv("PYROSCOPE_SERVER_ADDRESS", url)

    assert Settings.read().pyroscope_server_address == url


def test_without_one_there_are_no_continuous_profiles():
    assert Settings.read().pyroscope_server_address is None


@pytest.mark.parametrize(
    "url",
    [
        "localhost:4040",
        "ftp://localhost",
        "http://",
        "http://user:hidden-word@localhost",
        "http://localhost:port",
        "http://a b",
    ],
)
def test_a_wrong_address_stops_the_start_with_one_line(monkeypatch, url):
    monkeypatch.setenv("PYROSCOPE_SERVER_ADDRESS", url)

    assert_refused()


def test_a_server_without_the_extra_stops_the_start_with_one_line(monkeypatch):
    monkeypatch.setenv("PYROSCOPE_SERVER_ADDRESS", "http://localhost:4040")
    monkeypatch.setattr(checked_values, "find_spec", lambda _name: None)

    assert_refused()


def assert_refused():
    with pytest.raises(SettingsError) as caught:
        Settings.read()

    [line] = str(caught.value).splitlines()
    assert line.startswith("PYROSCOPE_SERVER_ADDRESS is ")
    assert line.endswith("and has no credentials; it needs pip install '.[pyroscope]'.")
    assert "hidden-word" not in line
