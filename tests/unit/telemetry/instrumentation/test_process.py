import gc
import os
import threading
import time

import psutil
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry import semconv
from telemetry.instrumentation import process
from tests.support.forking import in_child


def value(signals, name):
    [only] = signals.series(name).values()
    return only


class Disk:
    """Used shares that a test can set."""

    def __init__(self):
        self.used = {"/": 0.25, "/var/lib": 0.5}

    def filesystems(self):
        return self.used

    def memory(self):
        return 0.75


def test_the_process_has_its_cpu_memory_descriptors_and_start_time(signals):
    process.observe_process(signals.meters.get_meter("tests"))

    assert 0 < value(signals, "process_cpu_seconds_total") < 3600
    assert 10e6 < value(signals, "process_resident_memory_bytes") < value(signals, "process_virtual_memory_bytes")
    assert value(signals, "process_open_fds") >= 3
    assert time.time() - 3600 < value(signals, "process_start_time_seconds") <= time.time()


def test_fifty_threads_more_are_fifty_threads_more(signals):
    process.observe_process(signals.meters.get_meter("tests"))
    before, done = value(signals, "process_threads"), threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(50)]
    for thread in threads:
        thread.start()

    during = value(signals, "process_threads")

    done.set()
    for thread in threads:
        thread.join(5)
    assert abs(during - before - 50) < 10  # threads of other tests end meanwhile


def test_garbage_is_collected_by_generation(signals):
    process.observe_process(signals.meters.get_meter("tests"))
    before = signals.series("python_gc_collections_total")

    gc.collect(2)

    after = signals.series("python_gc_collections_total")
    assert set(after) == {("0",), ("1",), ("2",)}
    assert after["2",] >= before["2",] + 1


def test_the_application_has_its_uptime_version_and_environment(signals):
    now = [100.0]
    about = process.Application("1.2.3", "production")
    process.observe_application(signals.meters.get_meter("tests"), about, lambda: now[0])

    now[0] += 60.5

    assert signals.series("app_uptime_seconds") == {(): 60.5}
    assert signals.series("app_info") == {("production", "1.2.3"): 1}


def test_resources_are_read_at_each_scrape(signals):
    disk = Disk()
    process.observe_resources(signals.meters.get_meter("tests"), disk)
    before = signals.series("system_filesystem_utilization")

    disk.used = {"/": 0.3}

    assert before == {("/",): 0.25, ("/var/lib",): 0.5}
    assert signals.series("system_filesystem_utilization")["/",] == 0.3
    assert signals.series("system_memory_utilization") == {(): 0.75}


def test_an_unreadable_disk_does_not_break_the_scrape(signals, caplog):
    class Gone(Disk):
        def filesystems(self):
            raise OSError("the mount is gone")

    process.observe_resources(signals.meters.get_meter("tests"), Gone())

    assert signals.series("system_filesystem_utilization") == {}
    assert signals.series("system_memory_utilization") == {(): 0.75}
    assert "system.filesystem.utilization" in caplog.text


def test_the_instruments_of_the_process_are_those_of_the_conventions():
    reader = InMemoryMetricReader()
    process.observe_process(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))

    [scope] = reader.get_metrics_data().resource_metrics[0].scope_metrics
    found = {metric.name: (metric.unit, getattr(metric.data, "is_monotonic", None)) for metric in scope.metrics}

    assert found == {
        "process.cpu.time": ("s", True),
        "process.memory.usage": ("By", False),
        "process.memory.virtual": ("By", False),
        "process.thread.count": ("{thread}", False),
        "process.unix.file_descriptor.count": ("{file_descriptor}", False),
        "cpython.gc.collections": ("{collection}", True),
        "process.start_time": ("s", None),  # a gauge of our own
    }
    [cpu] = [metric for metric in scope.metrics if metric.name == "process.cpu.time"]
    assert [dict(point.attributes) for point in cpu.data.data_points] == [{"cpu.mode": "user"}, {"cpu.mode": "system"}]


def test_the_cpu_seconds_are_those_of_both_modes(signals):
    process.observe_process(signals.meters.get_meter("tests"))
    before = sum(os.times()[:2])

    shown = value(signals, "process_cpu_seconds_total")

    assert before - 0.02 <= shown <= sum(os.times()[:2]) + 0.02  # the clock ticks a hundred times a second


def test_a_forked_child_shows_its_own_figures_and_not_those_of_its_parent():
    reader = InMemoryMetricReader()
    process.observe_process(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))

    def started():
        metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        [point] = next(each for each in metrics if each.name == semconv.PROCESS_START_TIME).data.data_points
        return point.value

    parent = started()
    shown, own = in_child(lambda: [started(), psutil.Process().create_time()])

    assert shown == own
    assert shown > parent == psutil.Process().create_time()
