"""Group scheduling: the tests of a module that names an `xdist_group` run in one process, one after the other, and share its set-up.

pytest-xdist 3.8 writes the group into an attribute that pytest 9.2 does not read any more: `--dist loadgroup` then knows no groups.
"""

import re
from functools import cache
from typing import Final

from xdist.scheduler import LoadScopeScheduling

from tests.support.processes import ROOT

_GROUP: Final = re.compile(r'xdist_group\("([^"]+)"\)')


class GroupScheduling(LoadScopeScheduling):
    """Hands out groups whole, those with most tests first, and all other tests one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """The group of the test's module; without one, the test alone."""
    return _group_of(nodeid.partition("::")[0]) or nodeid


@cache
def _group_of(path: str) -> str:
    """As the module's source names it."""
    found = _GROUP.search((ROOT / path).read_text("utf-8"))
    return found[1] if found else ""
