import socket
import time

import pytest

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.http_call import channel_client, post


def test_an_error_names_the_proxy_without_its_password(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        proxy = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("http_proxy", f"http://user:canary-12345@{proxy}")
    url = "http://hook.example/secret"

    with channel_client(url) as client, pytest.raises(ChannelError) as failed:
        post(client, "webhook", url, time.monotonic() + 10, json={})

    assert str(failed.value) == f"webhook cannot be reached through the proxy http://{proxy}: Connection refused"
