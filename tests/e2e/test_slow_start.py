"""Workers that start slowly, as on a busy machine: their parent waits for them."""

import signal

import pytest

from tests.support.processes import Programs
from tests.support.worker_consistency import workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]
SLOW = """
import sys
import time

if "--multiprocessing-fork" in sys.argv:
    time.sleep(8)
"""


def test_a_worker_that_needs_longer_than_uvicorns_limit_to_start_is_not_replaced_for_ever(programs: Programs):
    programs.write("sitecustomize.py", SLOW)

    service = programs.serve("--workers", "2", SCHEDULER="false", LOG_LEVEL="DEBUG")

    service.wait_for("/readyz", within=90)
    assert "died" not in service.said()
    assert len(workers(service)) == 2
    service.tell(signal.SIGTERM)
    assert service.exit_code(30) == 0
