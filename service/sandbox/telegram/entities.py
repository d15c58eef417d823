"""A message's text: its markup read as strictly as Telegram reads it, and measured when it has been read."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from service.sandbox.telegram.errors import Refused, bad_request
from service.sandbox.telegram.html_parser import parse_html
from service.sandbox.telegram.markdown import parse_markdown, parse_markdown_v2
from service.sandbox.telegram.writer import Entity, Parsed, Unparsable, utf16

LONGEST_TEXT: Final = 4096  # UTF-16 units
LONGEST_CAPTION: Final = 1024
_LONGEST_MARKUP: Final = 32768  # bytes
_MOST_ENTITIES: Final = 100  # what is beyond them is plain text
_PARSERS: Final[Mapping[str, Callable[[str], Parsed]]] = {
    "": Parsed,
    "html": parse_html,
    "markdown": parse_markdown,
    "markdownv2": parse_markdown_v2,
}
_KINDS: Final = frozenset(
    {
        "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bold", "italic", "underline",
        "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre", "text_link", "text_mention",
        "custom_emoji", "date_time",
    }
)  # fmt: skip
_NOT_LINKED: Final = frozenset({"code", "pre", "text_link", "text_mention", "url"})
_URL: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")


def read_text(text: str, mode: str, entities: str = "") -> Parsed:
    """Raises:
    Refused: it is no text that a message can have.
    """
    parsed = _read(text, mode, entities)
    if not parsed.text:
        raise bad_request("message text is empty")
    if utf16(parsed.text) > LONGEST_TEXT:
        raise bad_request("message is too long")
    return parsed


def read_caption(text: str, mode: str, entities: str = "") -> Parsed:
    """Of a document; it may be empty."""
    parsed = _read(text, mode, entities)
    if utf16(parsed.text) > LONGEST_CAPTION:
        raise bad_request("message caption is too long")
    return parsed


def _read(text: str, mode: str, entities: str) -> Parsed:
    if len(text.encode()) > _LONGEST_MARKUP:
        raise bad_request("text is too long")
    parse = _PARSERS.get(mode.lower())
    if parse is None:
        raise bad_request("unsupported parse_mode")
    try:
        parsed = parse(text)
    except Unparsable as error:
        raise bad_request(f"can't parse entities: {error}") from None
    if entities and not mode:
        parsed = Parsed(text, _given(entities, utf16(text)))
    return _with_links(_trimmed(parsed))


def _given(entities: str, length: int) -> list[Entity]:
    """Those that a call brings along, instead of markup."""
    try:
        given: Any = json.loads(entities)
    except ValueError:
        given = None
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise bad_request("can't parse entities JSON object")
    for one in given:
        _must_fit(one, length)
    return sorted(given, key=lambda one: (one["offset"], -one["length"]))


def _must_fit(one: Entity, length: int) -> None:
    offset, size = one.get("offset"), one.get("length")
    if one.get("type") not in _KINDS:
        raise _wrong_entity("unsupported type specified")
    if not isinstance(offset, int) or not isinstance(size, int) or offset < 0 or size < 1 or offset + size > length:
        raise _wrong_entity("it is not inside of the text")
    if not isinstance(one.get("url", ""), str):
        raise _wrong_entity('Field "url" must be of type String')


def _wrong_entity(why: str) -> Refused:
    return bad_request(f"can't parse MessageEntity: {why}")


def _trimmed(parsed: Parsed) -> Parsed:
    """Without the space around it, and with the entities in what remains."""
    text = parsed.text.strip()
    first = utf16(parsed.text) - utf16(parsed.text.lstrip())
    last = utf16(text)
    entities = []
    for one in parsed.entities:
        begin, end = max(0, one["offset"] - first), min(last, one["offset"] + one["length"] - first)
        if begin < end:
            entities.append(one | {"offset": begin, "length": end - begin})
    return Parsed(text, [{name: value for name, value in one.items() if value != ""} for one in entities])


def _with_links(parsed: Parsed) -> Parsed:
    """Addresses in the text are links without being told so."""
    taken = [(one["offset"], one["offset"] + one["length"]) for one in parsed.entities if one["type"] in _NOT_LINKED]
    found = []
    for match in _URL.finditer(parsed.text):
        begin = utf16(parsed.text[: match.start()])
        end = begin + utf16(match[0])
        if all(end <= other or until <= begin for other, until in taken):
            found.append({"type": "url", "offset": begin, "length": end - begin})
    entities = sorted([*parsed.entities, *found], key=lambda one: one["offset"])
    return Parsed(parsed.text, entities[:_MOST_ENTITIES])
