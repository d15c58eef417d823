"""A forked child has an instance id of its own, on every signal."""

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from telemetry.compatibility import internals
from telemetry.sdk import forked_identity
from telemetry.sdk.forked_identity import ForkedIdentity
from tests.support.forking import in_child
from tests.support.processes import eventually

ID = "service.instance.id"


class Providers:
    def __init__(self):
        resource = Resource({"service.name": "shop", ID: "the-parent"})
        self.reader = InMemoryMetricReader()
        self.traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.metrics = MeterProvider([self.reader], resource, shutdown_on_exit=False)
        self.logs = LoggerProvider(resource, shutdown_on_exit=False)
        self.tracer, self.logger = self.traces.get_tracer("tests"), self.logs.get_logger("tests")
        self.counter = self.metrics.get_meter("tests").create_counter("eggs")

    def all(self):
        return (self.traces, self.metrics, self.logs)

    def ids(self):
        self.counter.add(1)
        with self.tracer.start_as_current_span("job") as span:
            pass
        [metrics] = self.reader.get_metrics_data().resource_metrics
        return [each.attributes[ID] for each in (span.resource, metrics.resource, self.logs.resource)]


def test_a_child_has_the_id_of_its_own_on_every_signal_and_its_parent_keeps_its():
    providers = Providers()
    identity = ForkedIdentity(providers.all(), lambda: "the-child")

    def child():
        eventually(lambda: providers.ids() == ["the-child"] * 3)
        return [*providers.ids(), providers.traces.resource.attributes["service.name"]]

    assert in_child(child) == ["the-child"] * 3 + ["shop"]
    assert providers.ids() == ["the-parent"] * 3
    assert identity is not None


def test_a_version_of_the_sdk_that_does_nothing_at_a_fork_has_the_id_as_well(monkeypatch):
    monkeypatch.setattr(forked_identity, "_SDK_TIMEOUT", 0.0)
    providers = Providers()
    identity = ForkedIdentity(providers.all(), lambda: "the-child")

    identity._renew(list(map(forked_identity._resource, providers.all())))

    assert providers.ids() == ["the-child"] * 3


def test_a_version_that_cannot_change_it_is_noted(monkeypatch):
    monkeypatch.setattr(internals, "_missing", {})
    monkeypatch.setattr(forked_identity, "_SDK_TIMEOUT", 0.0)

    ForkedIdentity([object()], lambda: "the-child")._renew([None])

    assert list(internals._missing) == ["_update_resource"]


def test_the_steps_of_a_fork(monkeypatch):
    """What a child does, in this process: it waits for the SDK's own handler, which comes later."""
    providers = Providers()
    identity = ForkedIdentity(providers.all(), lambda: "the-child")

    identity.restart_in_child()
    for provider in providers.all():
        provider._handle_fork()

    assert eventually(lambda: providers.ids() == ["the-child"] * 3)
