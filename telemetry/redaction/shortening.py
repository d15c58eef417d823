"""Shortens texts before they are redacted, so that redaction never keeps an event loop busy."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

MAX_ON_EVENT_LOOP: Final = 8 * 1024
"""Characters of a text that is redacted on an event loop. Of a longer one the beginning and the end are kept."""
_MAX_DEPTH: Final = 32
_MAX_CUT_WORD: Final = 256  # characters of a word that was cut in two: half a secret is not recognized
_KEY: Final = "-----BEGIN "  # inside a private key, nothing shows that it is one


def is_on_event_loop() -> bool:
    """Whether this thread runs an event loop, whose other tasks wait for it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def beginning(text: str, limit: int) -> str:
    """The text, or its beginning and a mark; without the word that the cut divides."""
    if len(text) <= limit:
        return text
    kept = _without_last_word(text[:limit])
    return f"{kept}[… {len(text) - len(kept):,} characters left out …]"


def beginning_and_end(text: str, limit: int) -> str:
    """The text, or its beginning, a mark and its end; without the words that the cuts divide."""
    if len(text) <= limit or _KEY in text:
        return beginning(text, limit)
    first, last = _without_last_word(text[: limit // 2]), _without_first_word(text[-(limit // 2) :])
    return f"{first}\n[… {len(text) - len(first) - len(last):,} characters left out …]\n{last}"


def _without_last_word(text: str) -> str:
    tail = text[-_MAX_CUT_WORD:]
    words = tail.rsplit(None, 1)
    word = len(words[-1]) if words and not tail[-1].isspace() else 0
    return text[: len(text) - word]


def _without_first_word(text: str) -> str:
    head = text[:_MAX_CUT_WORD]
    words = head.split(None, 1)
    word = len(words[0]) if words and not head[0].isspace() else 0
    return text[word:]


def shortened_container(values: Any, limit: int) -> Any:
    """The container itself, or a copy with the first items, of about `limit` characters, and a mark."""
    copy = _Copy(limit)
    shortened = copy.of(values, 0)
    return shortened if copy.is_shorter else values


class _Copy:
    """A copy of nested containers in which the texts have at most so many characters, and each item counts as one."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.is_shorter = False

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if isinstance(value, str | bytes | bytearray):
            return self._text(value)
        if depth >= _MAX_DEPTH:
            return value
        if isinstance(value, Mapping):
            return {key: self.of(each, depth + 1) for key, each in self._first(value.items(), ("…", _MARK))}
        if isinstance(value, list | tuple | AbstractSet):
            return [self.of(each, depth + 1) for each in self._first(value, _MARK)]
        return value

    def _text(self, text: Any) -> Any:
        limit = max(self._left, 0)
        self._left -= len(text)
        if len(text) <= limit:
            return text
        self.is_shorter = True
        return beginning(text if isinstance(text, str) else text.decode("utf-8", "replace"), limit)

    def _first(self, items: Iterable[Any], mark: Any) -> Iterator[Any]:
        for item in items:
            if self._left <= 0:
                self.is_shorter = True
                yield mark
                return
            yield item


_MARK: Final = "[… more left out …]"
