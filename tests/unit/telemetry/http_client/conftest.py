import pytest

from tests.support.loopback import loopback


@pytest.fixture
def server():
    """A scripted server on loopback."""
    with loopback() as server:
        yield server
