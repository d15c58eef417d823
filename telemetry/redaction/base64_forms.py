"""What a secret looks like inside of any base64, and base64 without its line breaks."""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MIN_FORM_LENGTH: Final = 9
_IN_TEXTS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    lambda value: quote(value, safe=""),
    quote,
    quote_plus,
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: repr(value)[1:-1],
    lambda value: repr(value.encode("utf-8", "surrogatepass"))[2:-1],
    html.escape,
    lambda value: html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
)
"""The encodings in which a secret may be before it is put into base64."""
_DIGIT: Final = r"[A-Za-z0-9+/_\-]"
_FIRST_OF_BREAK: Final = r"[\n\r\\%]"
_BREAK: Final = re.compile(
    rf"{_FIRST_OF_BREAK}(?<={_DIGIT}{_FIRST_OF_BREAK})(?<={_DIGIT}{{8}}{_FIRST_OF_BREAK})"  # the fastest first
    r"(?:(?<=\n)|(?<=\r)\n"
    r"|(?<=\\)(?:n|r\\n|\\n|\\r\\\\n)"  # in JSON, and in JSON in JSON
    rf"|(?<=%)0(?:[aA]|[dD]%0[aA]))[ \t]{{0,32}}+(?={_DIGIT})"
)


def base64_forms(value: str) -> set[str]:
    """The parts that are the same in any base64 of a text with the value in it, and in the base64 of that."""
    once = {form for encode in _IN_TEXTS for form in _parts(encode(value).encode("utf-8", "surrogatepass"))}
    plain = _parts(value.encode("utf-8", "surrogatepass"))
    twice = {form for each in plain for form in _parts(each.encode())}
    return {form for form in once | twice if len(form) >= MIN_FORM_LENGTH}


def _parts(value: bytes) -> Iterator[str]:
    """The part that depends on the value alone, for each of the three possible alignments."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value).decode()
        yield encoded[-(-offset * 8 // 6) : (offset + len(value)) * 8 // 6]


def may_have_line_breaks(text: str) -> bool:
    """Whether it is worth to look for line breaks in it."""
    return "\n" in text or "\\" in text or "%0" in text


class JoinedLines:
    """A text without the line breaks inside of what may be base64."""

    def __init__(self, text: str) -> None:
        self.text = _BREAK.sub("", text)
        self._original = text
        self._starts: list[int] = []
        self._removed: list[int] = []

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of it is in the text with line breaks."""
        if not self._starts:
            self._locate()
        return self._original_of(start), self._original_of(end - 1) + 1

    def _locate(self) -> None:
        self._starts, self._removed, removed = [0], [0], 0
        for match in _BREAK.finditer(self._original):
            self._starts.append(match.start() - removed)
            removed += len(match[0])
            self._removed.append(removed)

    def _original_of(self, position: int) -> int:
        return position + self._removed[bisect_right(self._starts, position) - 1]
