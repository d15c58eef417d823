"""HTML as Telegram reads it: the few tags that it knows, nested and closed as they should be, and nothing else."""

import re
from typing import Final

from service.sandbox.telegram.writer import Entity, Parsed, Unparsable, Writer, link, offset_of

Attributes = dict[str, str]
_KINDS: Final = {
    "b": "bold", "strong": "bold",
    "i": "italic", "em": "italic",
    "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "tg-spoiler": "spoiler", "span": "spoiler",
    "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote",
    "tg-emoji": "custom_emoji", "tg-time": "date_time",
}  # fmt: skip
_REFERENCE: Final = re.compile(r"&(?:#(\d{1,7});?|#x([0-9a-f]{1,6});?|(lt|gt|amp|quot)(?![a-z]);?)", re.IGNORECASE)
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_NAME: Final = re.compile(r"</?([^\s>]*)")
_SPACE: Final = re.compile(r"\s*")
_ATTRIBUTE: Final = re.compile(r"""([^\s=>/"']+)\s*(=\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9.-]*)(?=[\s>]))?)?""")


def parse_html(markup: str) -> Parsed:
    writer, at = Writer(), 0
    while at < len(markup):
        if markup[at] == "<":
            read = _end_tag if markup.startswith("</", at) else _start_tag
            at = read(markup, at, writer)
        else:
            tag = markup.find("<", at)
            end = len(markup) if tag < 0 else tag
            writer.write(_decoded(markup[at:end]))
            at = end
    if writer.open:
        raise Unparsable(f'Can\'t find end tag corresponding to start tag "{writer.open[-1].name}"')
    return _without_languages(writer.parsed())


def _without_languages(parsed: Parsed) -> Parsed:
    """Only a block has one: code inside of a line does not."""
    for entity in parsed.entities:
        if entity["type"] == "code":
            del entity["language"]
    return parsed


def _decoded(text: str) -> str:
    """A reference that Telegram doesn't know stays as it is."""
    return _REFERENCE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return _NAMED.get(name, found[0])
    code = int(decimal) if decimal else int(hexadecimal, 16)
    is_one = 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF  # noqa: PLR2004  # Unicode, but for its surrogates
    return chr(code) if is_one else found[0]


def _start_tag(markup: str, at: int, writer: Writer) -> int:
    """Reads one; gives the index behind it."""
    where = offset_of(markup, at)
    after, name = _name(markup, at)
    if after == len(markup):
        raise Unparsable(f"Unclosed start tag at byte offset {where}")
    if name not in _KINDS:
        raise Unparsable(f'Unsupported start tag "{name}" at byte offset {where}')
    attributes, end = _attributes(markup, after, name, where)
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise Unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {where}')
    writer.begin(name, at, _entity(name, attributes))
    return end


def _name(markup: str, at: int) -> tuple[int, str]:
    found = _NAME.match(markup, at)
    return (found.end(), found[1].lower()) if found else (at, "")


def _attributes(markup: str, at: int, tag: str, where: int) -> tuple[Attributes, int]:
    found: Attributes = {}
    while True:
        at = _behind_space(markup, at)
        if at == len(markup):
            raise Unparsable(f"Unclosed start tag at byte offset {where}")
        if markup[at] == ">":
            return found, at + 1
        one = _ATTRIBUTE.match(markup, at)
        if one is None:
            raise Unparsable(f'Empty attribute name in the tag "{tag}" at byte offset {where}')
        _must_have_its_value(markup, one, where)
        found[one[1]] = _decoded(one[3] or one[4] or (one[5] or "").lower())
        at = one.end()


def _must_have_its_value(markup: str, one: re.Match[str], where: int) -> None:
    if one[2] is None or one[2].strip() != "=" or one[5] is not None:
        return
    at = _behind_space(markup, one.end())
    if at == len(markup) or markup[at] in "\"'":
        raise Unparsable(f"Unclosed start tag at byte offset {where}")
    raise Unparsable(f"Unexpected end of name token at byte offset {offset_of(markup, at)}")


def _behind_space(markup: str, at: int) -> int:
    found = _SPACE.match(markup, at)
    return found.end() if found else at


def _entity(tag: str, attributes: Attributes) -> Entity:
    match tag:
        case "a":
            return link(attributes.get("href", ""))
        case "code":
            return {"type": "code", "language": attributes.get("class", "").partition("language-")[2]}
        case "blockquote" if "expandable" in attributes:
            return {"type": "expandable_blockquote"}
        case "tg-emoji":
            return {"type": "custom_emoji", "custom_emoji_id": _digits(attributes.get("emoji-id", ""))}
        case "tg-time":
            return _moment(attributes)
    return {"type": _KINDS[tag]}


def _digits(emoji: str) -> str:
    if not emoji.isdecimal():
        raise Unparsable("Invalid custom emoji identifier specified")
    return emoji


def _moment(attributes: Attributes) -> Entity:
    unix = attributes.get("unix", "")
    if not unix.isdecimal():
        raise Unparsable("Invalid Unix time specified")
    return {"type": "date_time", "unix_time": int(unix), "date_time_format": attributes.get("format", "")}


def _end_tag(markup: str, at: int, writer: Writer) -> int:
    where = offset_of(markup, at)
    if not writer.open:
        raise Unparsable(f"Unexpected end tag at byte offset {where}")
    after, name = _name(markup, at)
    end = _behind_space(markup, after)
    if not markup.startswith(">", end):
        raise Unparsable(f"Unclosed end tag at byte offset {where}")
    expected = writer.open[-1].name
    if name not in {"", expected}:
        raise Unparsable(f'Unmatched end tag at byte offset {where}, expected "</{expected}>", found "</{name}>"')
    _finish(writer, writer.end())
    return end + 1


def _finish(writer: Writer, entity: Entity) -> None:
    """A link without an address is its text; a language is that of the block, which is code and nothing else."""
    if entity["type"] == "text_link" and not entity["url"]:
        entity["url"] = writer.text_of(entity)
        if not entity["url"].startswith(("http://", "https://", "tg://")):
            writer.drop(entity)
    if entity["type"] == "pre":
        for code in writer.inside(entity):
            if code.get("language"):
                entity["language"] = code["language"]
                writer.drop(code)
