import gc
import threading
import time

from telemetry.instrumentation import process


def value(watch, name):
    [only] = watch.series(name).values()
    return only


class Disk:
    """Shares that can be set."""

    def __init__(self):
        self.used = {"/": 0.25, "/var/lib": 0.5}

    def filesystems(self):
        return self.used

    def memory(self):
        return 0.75


def test_the_process_says_what_it_takes(watch):
    process.observe_process(watch.meters.get_meter("tests"))

    assert 0 < value(watch, "process_cpu_seconds_total") < 3600
    assert 10e6 < value(watch, "process_resident_memory_bytes") < value(watch, "process_virtual_memory_bytes")
    assert value(watch, "process_open_fds") >= 3
    assert time.time() - 3600 < value(watch, "process_start_time_seconds") <= time.time()


def test_fifty_threads_more_are_fifty_threads_more(watch):
    process.observe_process(watch.meters.get_meter("tests"))
    before, done = value(watch, "process_threads"), threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(50)]
    for thread in threads:
        thread.start()

    during = value(watch, "process_threads")

    done.set()
    for thread in threads:
        thread.join(5)
    assert abs(during - before - 50) < 10  # other tests' threads come to their ends meanwhile


def test_garbage_is_collected_by_generation(watch):
    process.observe_process(watch.meters.get_meter("tests"))
    before = watch.series("python_gc_collections_total")

    gc.collect(2)

    after = watch.series("python_gc_collections_total")
    assert set(after) == {("0",), ("1",), ("2",)}
    assert after["2",] >= before["2",] + 1


def test_the_application_says_what_it_is_and_since_when(watch):
    now = [100.0]
    about = process.Application("1.2.3", "production")
    process.observe_application(watch.meters.get_meter("tests"), about, lambda: now[0])

    now[0] += 60.5

    assert watch.series("app_uptime_seconds") == {(): 60.5}
    assert watch.series("app_info") == {("production", "1.2.3"): 1}


def test_resources_are_read_when_somebody_asks(watch):
    disk = Disk()
    process.observe_resources(watch.meters.get_meter("tests"), disk)
    before = watch.series("system_filesystem_utilization")

    disk.used = {"/": 0.3}

    assert before == {("/",): 0.25, ("/var/lib",): 0.5}
    assert watch.series("system_filesystem_utilization")["/",] == 0.3
    assert watch.series("system_memory_utilization") == {(): 0.75}


def test_a_disk_that_cannot_be_read_does_not_take_the_page_with_it(watch, caplog):
    class Gone(Disk):
        def filesystems(self):
            raise OSError("the mount is gone")

    process.observe_resources(watch.meters.get_meter("tests"), Gone())

    assert watch.series("system_filesystem_utilization") == {}
    assert watch.series("system_memory_utilization") == {(): 0.75}
    assert "system.filesystem.utilization" in caplog.text
