"""Runs a function in a forked child, and gives its answer back."""

import json
import os
import threading
import warnings


def in_child(function):
    """What `function` returns in a forked child, as JSON. A child that hangs is killed after a minute."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the process has several threads
        child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        try:
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    guard = threading.Timer(60, os.kill, (child, 9))
    guard.start()
    try:
        with os.fdopen(reading, "rb") as answer:
            return json.loads(answer.read() or b'"the child has failed"')
    finally:
        guard.cancel()
        os.waitpid(child, 0)
