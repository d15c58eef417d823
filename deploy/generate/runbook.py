"""The links of Prometheus' rules to the runbook: to its page in the repository, or to an address that a browser opens."""

import re
from typing import Final

PAGE: Final = "docs/how-to/runbook.md"
_LINK: Final = re.compile(r"(?<=runbook_url: )\S*(?=#[\w-]+$)", re.MULTILINE)


def linked(rules: str, address: str) -> str:
    """The text of a file of rules, with each `runbook_url` on this address."""
    return _LINK.sub(lambda _: address, rules)
