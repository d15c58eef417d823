import pytest
from opentelemetry.sdk.metrics import MeterProvider


@pytest.fixture
def meter():
    return MeterProvider(shutdown_on_exit=False).get_meter("tests")
