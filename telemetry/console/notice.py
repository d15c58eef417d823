"""A sentence that an application shows on the console."""

import re
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["error", "warning", "info"]
_LINK: Final = re.compile(r"https?://|/(?![/\\])", re.IGNORECASE)


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

    def __post_init__(self) -> None:
        """Raises:
        ValueError: the link is of a kind that a browser would run.
        """
        if self.link and not _LINK.match(self.link):
            raise ValueError(f"link={self.link[:100]!r}: begins with http://, https:// or /")
