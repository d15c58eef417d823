"""Markup: any text as Telegram takes it: clean, cut before tags are added, and counted in UTF-16 units as Telegram counts."""

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
    """Without what is no text: control characters, colours of a terminal, halves of surrogate pairs."""
    return _ANSI.sub("", text).translate(_CONTROLS).encode("utf-8", "replace").decode()


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def units(text: str) -> int:
    """Its length in UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def cut(text: str, most: int) -> str:
    """The beginning, in at most so many units; an ellipsis says that there was more."""
    if units(text) <= most:
        return text
    return _head(text, most - 1) + ELLIPSIS if most > 0 else ""


def cut_front(text: str, most: int) -> str:
    """The end of it, likewise."""
    if units(text) <= most:
        return text
    if most <= 1:
        return ELLIPSIS[:most]
    encoded = text.encode("utf-16-le")[-2 * (most - 1) :]
    return ELLIPSIS + encoded.decode("utf-16-le", "ignore")


def _head(text: str, most: int) -> str:
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message: its text, and the tag that goes around it."""

    text: str
    tag: str = ""
    url: str = ""

    @property
    def html(self) -> str:
        escaped = html.escape(self.text, quote=False)
        if self.url:
            return f'<a href="{html.escape(self.url)}">{escaped}</a>'
        return f"<{self.tag}>{escaped}</{self.tag.partition(' ')[0]}>" if self.tag and self.text else escaped
