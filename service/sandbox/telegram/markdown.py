"""Markdown as Telegram reads it: MarkdownV2, in which every reserved character is escaped or means something; and the older one."""

import re
from typing import Final

from service.sandbox.telegram.writer import Entity, Parsed, Unparsable, Writer, link, offset_of

_RESERVED: Final = frozenset("_*[]()~`>#+-=|{}.!")
_MARK: Final = re.compile(r"```|`|__|_|\*|~|\|\||!\[|\[|\]")
_KINDS: Final = {
    "```": "pre", "`": "code", "__": "underline", "_": "italic", "*": "bold", "~": "strikethrough", "||": "spoiler",
    "![": "custom_emoji", "[": "text_link",
}  # fmt: skip
_NAMES: Final = {"text_link": "TextUrl", "custom_emoji": "CustomEmoji"}
_LANGUAGE: Final = re.compile(r"([^\s`]*)(?=\s)(?:\r?\n)?")
_URL: Final = re.compile(r"\(((?:\\.|[^\\)])*)\)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([\x01-\x7e])")
_EMOJI: Final = "tg://emoji?id="
_QUOTE: Final = ">"


def parse_markdown_v2(markup: str) -> Parsed:
    return _MarkdownV2(markup).parsed()


class _MarkdownV2:
    """A cursor over the markup."""

    def __init__(self, markup: str) -> None:
        self._markup = markup
        self._at = 0
        self._writer = Writer()

    def parsed(self) -> Parsed:
        while self._at < len(self._markup):
            self._step()
        if self._writer.top.endswith("blockquote"):
            self._writer.end()
        self._must_be_closed()
        return self._writer.parsed()

    def _step(self) -> None:
        char = self._markup[self._at]
        if escaped := _ESCAPED.match(self._markup, self._at):
            self._take(escaped[1], 2)
        elif char == "\n" and self._writer.open and self._writer.open[0].name == _QUOTE:
            self._next_line_of_quote()
        elif char not in _RESERVED or (self._writer.top in {"code", "pre"} and char != "`"):
            self._take(char, 1)
        elif not self._mark():
            raise Unparsable(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")

    def _take(self, text: str, length: int) -> None:
        self._writer.write(text)
        self._at += length

    def _mark(self) -> bool:
        """What is reserved means something here."""
        if self._begins_quote():
            self._begin(_QUOTE, "blockquote")
            return True
        found = _MARK.match(self._markup, self._at)
        if found is None:
            return False
        mark = found[0]
        name = self._writer.open[-1].name if self._writer.open else ""
        if self._ends_expandable(mark, name):
            return True
        if mark == name or (mark == "]" and name in {"[", "!["}):
            self._end(mark)
            return True
        if mark == "]" or name in {"`", "```"}:
            return False
        self._begin(mark, _KINDS[mark])
        return True

    def _begin(self, mark: str, kind: str) -> None:
        attributes: Entity = {"type": kind}
        start, self._at = self._at, self._at + len(mark)
        if kind == "pre" and (language := _LANGUAGE.match(self._markup, self._at)):
            attributes["language"] = language[1]
            self._at = language.end()
        self._writer.begin(mark, start, attributes)

    def _end(self, mark: str) -> None:
        began = self._writer.open[-1]
        self._at += len(mark)
        entity = self._writer.end()
        if began.name == "[":
            entity.update(link(self._address()))
            if not entity.get("url", "user"):
                self._writer.drop(entity)
        elif began.name == "![":
            entity["custom_emoji_id"] = _emoji_id(self._address())

    def _address(self) -> str:
        """What stands in parentheses behind a link's text; empty without them."""
        if not self._markup.startswith("(", self._at):
            return ""
        found = _URL.match(self._markup, self._at)
        if found is None:
            raise Unparsable(f"Can't find end of a URL at byte offset {offset_of(self._markup, self._at)}")
        self._at = found.end()
        return _ESCAPED.sub(r"\1", found[1])

    def _begins_quote(self) -> bool:
        """At the beginning of a line, or behind bold nothing, which parts two quotes."""
        if self._markup[self._at] != _QUOTE or self._writer.open:
            return False
        return self._markup[self._markup.rfind("\n", 0, self._at) + 1 : self._at] in {"", "**"}

    def _ends_expandable(self, mark: str, name: str) -> bool:
        end = self._at + len(mark)
        if mark != "||" or name != _QUOTE or self._markup[end : end + 1] not in {"", "\n"}:
            return False
        self._writer.open[-1].entity["type"] = "expandable_blockquote"
        self._at = end
        return True

    def _next_line_of_quote(self) -> None:
        if self._markup.startswith(_QUOTE, self._at + 1):
            self._take("\n", 2)
            return
        if self._writer.top.endswith("blockquote"):
            self._writer.end()
        self._must_be_closed()
        self._take("\n", 1)

    def _must_be_closed(self) -> None:
        if self._writer.open:
            last = self._writer.open[-1]
            name = _NAMES.get(self._writer.top, self._writer.top.capitalize())
            raise Unparsable(f"Can't find end of {name} entity at byte offset {offset_of(self._markup, last.at)}")


def _emoji_id(address: str) -> str:
    number = address.removeprefix(_EMOJI)
    if number == address or not number.isdecimal():
        raise Unparsable("Custom emoji entity must contain a tg://emoji URL")
    return number


_OLD: Final = re.compile(r"\\([_*`\[])|```|[_*`\[]")
_OLD_KINDS: Final = {"_": "italic", "*": "bold", "`": "code", "```": "pre", "[": "text_link"}


def parse_markdown(markup: str) -> Parsed:
    """The older one: nothing is nested, and inside an entity nothing is escaped."""
    writer, at = Writer(), 0
    while found := _OLD.search(markup, at):
        writer.write(markup[at : found.start()])
        at = found.end()
        if found[1]:
            writer.write(found[1])
        else:
            at = _old_entity(markup, found, writer)
    writer.write(markup[at:])
    return writer.parsed()


def _old_entity(markup: str, found: re.Match[str], writer: Writer) -> int:
    """Writes one; gives the index behind it."""
    mark, at = found[0], found.end()
    closing = "]" if mark == "[" else mark
    end = markup.find(closing, at)
    if end < 0:
        where = offset_of(markup, found.start())
        raise Unparsable(f"Can't find end of the entity starting at byte offset {where}")
    attributes: Entity = {"type": _OLD_KINDS[mark]}
    behind = end + len(closing)
    if mark == "[":
        address = _URL.match(markup, behind)
        attributes = link(address[1]) if address else {}
        behind = address.end() if address else behind
    _write_whole(writer, markup[at:end], attributes)
    return behind


def _write_whole(writer: Writer, text: str, attributes: Entity) -> None:
    if not attributes:
        writer.write(text)
        return
    writer.begin("", 0, attributes)
    writer.write(text)
    writer.end()
