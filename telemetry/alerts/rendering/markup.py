"""Text that Telegram accepts: cleaned, escaped, cut before tags are added, and measured in UTF-16 units as Telegram does."""

import html
import re
from dataclasses import dataclass
from typing import Final

_ANSI: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS: Final = {
    **dict.fromkeys((*range(32), *range(127, 160)), "�"),
    ord("\n"): "\n",
    ord("\t"): "    ",
    ord("\r"): None,
    0x2028: "\n",
    0x2029: "\n",
}
ELLIPSIS: Final = "…"


def clean(text: str) -> str:
    """Remove or replace control characters, terminal colours and halves of surrogate pairs."""
    return _ANSI.sub("", text).translate(_CONTROLS).encode("utf-8", "replace").decode()


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def cut(text: str, max_units: int) -> str:
    """Keep the beginning, in at max_units so many units; an ellipsis marks the cut."""
    if units(text) <= max_units:
        return text
    return _head(text, max_units - 1) + ELLIPSIS if max_units > 0 else ""


def cut_front(text: str, max_units: int) -> str:
    """Keep the end, in at max_units so many units; an ellipsis marks the cut."""
    if units(text) <= max_units:
        return text
    if max_units <= 1:
        return ELLIPSIS[:max_units]
    encoded = text.encode("utf-16-le")[-2 * (max_units - 1) :]
    return ELLIPSIS + encoded.decode("utf-16-le", "ignore")


def _head(text: str, max_units: int) -> str:
    return text.encode("utf-16-le")[: 2 * max_units].decode("utf-16-le", "ignore")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message: its text, and the HTML tag or link around it. `plain` is the text where there is no HTML, if it differs."""

    text: str
    tag: str = ""
    url: str = ""
    plain: str = ""

    @property
    def html(self) -> str:
        escaped = html.escape(self.text, quote=False)
        if self.url:
            return f'<a href="{html.escape(self.url)}">{escaped}</a>'
        return f"<{self.tag}>{escaped}</{self.tag.partition(' ')[0]}>" if self.tag and self.text else escaped
