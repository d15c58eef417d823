"""The exit codes of the commands."""

import os
from typing import Final

SUCCESS: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
BUSY: Final = os.EX_TEMPFAIL
"""75: the same command may succeed later."""
INTERRUPTED: Final = 130
"""Ctrl-C, as a shell reports it: 128 and the number of the signal."""
TERMINATED: Final = 143
"""SIGTERM, likewise."""
