import httpx
import pytest
import requests.utils

from telemetry.environment.proxies import exempt_loopback, is_loopback, proxy_for, proxy_name, through_proxy
from telemetry.settings import SettingsError


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://wb.example", None),
        ({"https_proxy": "http://one:3128"}, "https://wb.example", "http://one:3128"),
        ({"HTTPS_PROXY": "http://one:3128"}, "https://wb.example/path", "http://one:3128"),
        ({"https_proxy": "one:3128"}, "https://wb.example", "http://one:3128"),
        ({"http_proxy": "http://one:3128"}, "https://wb.example", None),
        ({"all_proxy": "http://one:3128"}, "https://wb.example", "http://one:3128"),
        ({"all_proxy": "http://one:3128", "https_proxy": "http://two:1"}, "https://wb.example", "http://two:1"),
        ({"https_proxy": "http://one:3128", "no_proxy": "example"}, "https://wb.example", None),
        ({"https_proxy": "http://one:3128", "NO_PROXY": "other, .wb.example"}, "https://api.wb.example:443", None),
        ({"https_proxy": "http://one:3128", "no_proxy": "wb.example:8443"}, "https://u:p@wb.example:8443", None),
        ({"https_proxy": "http://one:3128", "no_proxy": "wb.example:8443"}, "https://wb.example", "http://one:3128"),
        ({"https_proxy": "http://one:3128", "no_proxy": "*"}, "https://wb.example", None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(monkeypatch, variables, url, proxy):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (
            "socks5://user:canary-1234@proxy:1080",
            "ALL_PROXY is socks5://proxy:1080, and SOCKS needs a package: pip install ",
        ),
        ("socks5h://proxy:1080", "ALL_PROXY is socks5h://proxy:1080, and SOCKS needs a package: pip install "),
        ("socks4://proxy:1080", "ALL_PROXY is socks4://proxy:1080, but must be a URL"),
        ("ftp://user:canary-1234@proxy", "ALL_PROXY is ftp://proxy, but must be a URL"),
        ("http://user:canary-1234@proxy:port", "ALL_PROXY is no URL of a proxy, but must be a URL"),
        ("http://user:canary-1234@", "ALL_PROXY is no URL of a proxy, but must be a URL"),
        ("http://[::1", "ALL_PROXY is no URL of a proxy, but must be a URL"),
        ("://", "ALL_PROXY is no URL of a proxy, but must be a URL"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line(monkeypatch, proxy, said):
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(SettingsError) as refused:
        proxy_for("https://wb.example", socks_package="a_package_that_is_not_installed")

    assert str(refused.value).startswith(said)
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_socks_proxy_is_used_if_the_client_can(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")

    assert proxy_for("https://wb.example", socks_package="httpx") == "socks5://proxy:1080"


def test_an_error_names_the_proxy_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary-1234@proxy:3128")

    assert through_proxy("https://wb.example") == " through the proxy http://proxy:3128"
    assert through_proxy("https://127.0.0.1") == ""
    assert proxy_name("http://a@b:canary-1234@proxy:3128/path") == "http://proxy:3128"


@pytest.mark.parametrize(
    ("given", "exempt"),
    [
        ({}, False),
        ({"NO_PROXY": "a.example"}, False),
        ({"HTTP_PROXY": "http://one:3128"}, True),
        ({"all_proxy": "http://one:3128", "NO_PROXY": "a.example,"}, True),
    ],
)
def test_libraries_that_read_the_variables_leave_loopback_alone(given, exempt):
    environment = dict(given)

    exempt_loopback(environment)

    names = environment.get("no_proxy", "").split(",")
    assert ({"localhost", "127.0.0.1", "::1"} <= set(names)) is exempt
    assert ("a.example" in names) is (exempt and "NO_PROXY" in given)
    assert exempt or environment == given


def test_who_exempts_everything_exempts_loopback():
    environment = {"HTTP_PROXY": "http://one:3128", "NO_PROXY": "*"}

    exempt_loopback(environment)

    assert environment == {"HTTP_PROXY": "http://one:3128", "NO_PROXY": "*"}


@pytest.mark.parametrize("host", ["localhost:4318", "127.0.0.1:4318", "127.9.9.9", "[::1]:4318"])
def test_requests_and_httpx_take_the_exemption(monkeypatch, host):
    monkeypatch.setenv("HTTP_PROXY", "http://one:3128")

    exempt_loopback()

    assert requests.utils.get_environ_proxies(f"http://{host}") == {}
    httpx.Client().close()


@pytest.mark.parametrize("host", ["", "example", "127", "1270.0.0.1", "localhost.example", "10.0.0.1", "::2", "ü" * 64])
def test_another_host_is_not_loopback(host):
    assert not is_loopback(host)
