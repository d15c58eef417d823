"""One run: outages and restarts for so many minutes, and then the judgement."""

import logging
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.soak.figures import Table
from tests.soak.stores.judgement import judge
from tests.soak.stores.outages import LOOK_SECONDS, Outage, Spans
from tests.soak.stores.scene import Scene
from tests.support.processes import Programs
from tools import go_programs

_RESTARTS: Final = (0.35, 0.7)
"""When the service is restarted, as shares of the run; a short run has only the first."""
STALL: Final = 2.0
_SHORT: Final = 10 * 60.0
_log = logging.getLogger(__name__)


def run(minutes: float, home: Path, seed: int) -> Table:
    """`home` is an empty directory. The same seed makes the same kills, as far as the machine is as quick."""
    seconds = minutes * 60
    with ExitStack() as stack:
        programs = Programs(home)
        stack.callback(programs.kill)
        spans = Spans.of(seconds)
        scene = Scene.start(programs, go_programs.prometheus(), go_programs.collector(), seed, spans)
        table = Table()
        table.say("seed", seed)
        table.say("minutes", minutes)
        stack.callback(scene.traffic.pause)
        over = threading.Event()
        watch = threading.Thread(target=watch_stalls, args=(scene.stalls, over), daemon=True)
        watch.start()
        stack.callback(over.set)
        scene.traffic.resume(scene.service)
        disturb(scene, seconds)
        judge(table, scene)
        return table


def watch_stalls(found: list[Outage], over: threading.Event) -> None:
    """Keeps when this program was kept from running, as everything else was."""
    before = time.time()
    while not over.wait(LOOK_SECONDS):
        if (now := time.time()) - before > STALL:
            found.append(Outage(before, now))
        before = now


def disturb(scene: Scene, seconds: float) -> None:
    """For so many seconds, beside those of the restarts, in which nothing is killed."""
    began = time.monotonic()
    restarts = [share * seconds for share in _RESTARTS[: 1 if seconds < _SHORT else None]]
    told = 0
    while (at := time.monotonic() - began) < seconds:
        for each in scene.outages:
            each.follow()
        if restarts and at > restarts[0]:
            restarts.pop(0)
            before = time.monotonic()
            scene.restart()
            began += time.monotonic() - before
        if at > told * 60:
            told += 1
            _log.info("%3.0f min: %s", at / 60, scene.progress())
        time.sleep(LOOK_SECONDS)
