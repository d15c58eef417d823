"""Parses Telegram's HTML: a few tags, correctly nested and closed. Everything else is an error, as in the Bot API."""

import re
from typing import Final

from service.sandbox.telegram.formatted_text import (
    Entity,
    FormattedText,
    FormattedTextBuilder,
    InvalidMarkup,
    byte_offset,
    link_entity,
)

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


def parse_html(markup: str) -> FormattedText:
    """Raises:
    InvalidMarkup: the Bot API would refuse the markup.
    """
    builder, index = FormattedTextBuilder(), 0
    while index < len(markup):
        if markup[index] == "<":
            read = _end_tag if markup.startswith("</", index) else _start_tag
            index = read(markup, index, builder)
        else:
            tag = markup.find("<", index)
            end = len(markup) if tag < 0 else tag
            builder.write(_decoded(markup[index:end]))
            index = end
    if builder.open:
        raise InvalidMarkup(f'Can\'t find end tag corresponding to start tag "{builder.open[-1].name}"')
    return _without_languages(builder.build())


def _without_languages(parsed: FormattedText) -> FormattedText:
    """Only `pre` keeps a language; inline code has none."""
    for entity in parsed.entities:
        if entity["type"] == "code":
            del entity["language"]
    return parsed


def _decoded(text: str) -> str:
    """Decode character references. Those that Telegram does not know stay as they are."""
    return _REFERENCE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return _NAMED.get(name, found[0])
    code = int(decimal) if decimal else int(hexadecimal, 16)
    is_character = 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF  # noqa: PLR2004  # Unicode without surrogates
    return chr(code) if is_character else found[0]


def _start_tag(markup: str, index: int, builder: FormattedTextBuilder) -> int:
    """Parse one start tag, and return the index after it."""
    offset = byte_offset(markup, index)
    after, name = _name(markup, index)
    if after == len(markup):
        raise InvalidMarkup(f"Unclosed start tag at byte offset {offset}")
    if name not in _KINDS:
        raise InvalidMarkup(f'Unsupported start tag "{name}" at byte offset {offset}')
    attributes, end = _attributes(markup, after, name, offset)
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise InvalidMarkup(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
    builder.open_entity(name, _entity(name, attributes))
    return end


def _name(markup: str, index: int) -> tuple[int, str]:
    found = _NAME.match(markup, index)
    return (found.end(), found[1].lower()) if found else (index, "")


def _attributes(markup: str, index: int, tag: str, offset: int) -> tuple[Attributes, int]:
    found: Attributes = {}
    while True:
        index = _skip_space(markup, index)
        if index == len(markup):
            raise InvalidMarkup(f"Unclosed start tag at byte offset {offset}")
        if markup[index] == ">":
            return found, index + 1
        one = _ATTRIBUTE.match(markup, index)
        if one is None:
            raise InvalidMarkup(f'Empty attribute name in the tag "{tag}" at byte offset {offset}')
        _require_value(markup, one, offset)
        found[one[1]] = _decoded(one[3] or one[4] or (one[5] or "").lower())
        index = one.end()


def _require_value(markup: str, one: re.Match[str], offset: int) -> None:
    if one[2] is None or one[2].strip() != "=" or one[5] is not None:
        return
    index = _skip_space(markup, one.end())
    if index == len(markup) or markup[index] in "\"'":
        raise InvalidMarkup(f"Unclosed start tag at byte offset {offset}")
    raise InvalidMarkup(f"Unexpected end of name token at byte offset {byte_offset(markup, index)}")


def _skip_space(markup: str, index: int) -> int:
    found = _SPACE.match(markup, index)
    return found.end() if found else index


def _entity(tag: str, attributes: Attributes) -> Entity:
    match tag:
        case "a":
            return link_entity(attributes.get("href", ""))
        case "code":
            return {"type": "code", "language": attributes.get("class", "").partition("language-")[2]}
        case "blockquote" if "expandable" in attributes:
            return {"type": "expandable_blockquote"}
        case "tg-emoji":
            return {"type": "custom_emoji", "custom_emoji_id": _emoji_id(attributes.get("emoji-id", ""))}
        case "tg-time":
            return _date_time(attributes)
    return {"type": _KINDS[tag]}


def _emoji_id(value: str) -> str:
    if not value.isdecimal():
        raise InvalidMarkup("Invalid custom emoji identifier specified")
    return value


def _date_time(attributes: Attributes) -> Entity:
    unix = attributes.get("unix", "")
    if not unix.isdecimal():
        raise InvalidMarkup("Invalid Unix time specified")
    return {"type": "date_time", "unix_time": int(unix), "date_time_format": attributes.get("format", "")}


def _end_tag(markup: str, index: int, builder: FormattedTextBuilder) -> int:
    offset = byte_offset(markup, index)
    if not builder.open:
        raise InvalidMarkup(f"Unexpected end tag at byte offset {offset}")
    after, name = _name(markup, index)
    end = _skip_space(markup, after)
    if not markup.startswith(">", end):
        raise InvalidMarkup(f"Unclosed end tag at byte offset {offset}")
    expected = builder.open[-1].name
    if name not in {"", expected}:
        raise InvalidMarkup(f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{name}>"')
    _finish(builder, builder.close_entity())
    return end + 1


def _finish(builder: FormattedTextBuilder, entity: Entity) -> None:
    """A link without an address links to its own text. A block takes the language of the code that fills it."""
    if entity["type"] == "text_link" and not entity["url"]:
        entity["url"] = builder.entity_text(entity)
        if not entity["url"].startswith(("http://", "https://", "tg://")):
            builder.remove(entity)
    if entity["type"] == "pre":
        for code in builder.covering_entities(entity):
            if code.get("language"):
                entity["language"] = code["language"]
                builder.remove(code)
