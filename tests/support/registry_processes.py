"""Other processes with an entry in the registry of a data directory."""

import json
import subprocess
import sys
from contextlib import contextmanager

from tests.support.processes import ROOT

_HOLDER = """
import json, os, sys, time
from dataclasses import asdict
from pathlib import Path
from telemetry.processes.registry import ProcessRegistry
registry = ProcessRegistry(Path(sys.argv[1]), "shop.db")
sys.stdin.readline()
entry = registry.register()
child = os.fork() if "forks" in sys.argv else None
if child == 0:
    time.sleep(60)
    os._exit(0)
print(json.dumps([registry.instance_id(), asdict(entry), child]), flush=True)
sys.stdin.read()
"""


class OtherProcess:
    """A process that registers when `go` is called. Its entry, its `service.instance.id` and its child's pid are known then."""

    def __init__(self, data_dir, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(data_dir), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait(self):
        self.instance_id, self.entry, self.child = json.loads(self.process.stdout.readline())
        return self

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=30)


@contextmanager
def other_processes(data_dir, number=1, *, forks=False):
    """So many processes that register at once, and then fork if told so."""
    processes = [OtherProcess(data_dir, *(["forks"] if forks else [])) for _ in range(number)]
    try:
        for each in processes:
            each.go()
        yield [each.wait() for each in processes]
    finally:
        for each in processes:
            each.kill()
