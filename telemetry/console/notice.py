"""A sentence that an application shows on the console."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence about the service as it is now, such as what is not configured.

    Attributes:
        label: one or two words in front of it, such as `NOT SET`.
        link: where to read more: a URL, or a path below the application's root; empty for none.
        is_banner: shown above every page, such as that of a sandbox; else in the list of what needs attention.
    """

    text: str
    level: Level = "warning"
    label: str = ""
    link: str = ""
    link_text: str = ""
    is_banner: bool = False
