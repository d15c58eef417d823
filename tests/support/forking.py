"""Runs functions in forked children, and gives their answers back."""

import json
import os
import threading
import warnings


def in_child(function):
    """What `function` returns in a forked child, as JSON. A child that hangs is killed after a minute."""
    return in_children(function)[0]


def in_children(*functions):
    """What the functions return, each in a child of its own. They begin together, when all children are there."""
    gate = os.pipe()
    children = [_fork(function, gate) for function in functions]
    for end in gate:
        os.close(end)
    return [_answer_of(*child) for child in children]


def _fork(function, gate):
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the process has several threads
        child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        try:
            os.close(gate[1])
            os.read(gate[0], 1)  # returns when the last of the other ends is closed
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    return child, reading


def _answer_of(child, reading):
    guard = threading.Timer(60, os.kill, (child, 9))
    guard.start()
    try:
        with os.fdopen(reading, "rb") as answer:
            return json.loads(answer.read() or b'"the child has failed"')
    finally:
        guard.cancel()
        os.waitpid(child, 0)
