"""Reads the text or caption of a message as strictly as Telegram does. The markup is HTML, or none."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from service.sandbox.telegram.errors import bad_request
from service.sandbox.telegram.formatted_text import FormattedText, InvalidMarkup, utf16_length
from service.sandbox.telegram.html_parser import parse_html

MAX_TEXT_UNITS: Final = 4096  # UTF-16 units
MAX_CAPTION_UNITS: Final = 1024
_MAX_MARKUP_BYTES: Final = 32768
_MAX_ENTITIES: Final = 100  # Telegram shows the text of all further ones as plain text
_PARSERS: Final[Mapping[str, Callable[[str], FormattedText]]] = {"": FormattedText, "html": parse_html}
_UNSUPPORTED_MODES: Final = frozenset({"markdown", "markdownv2"})
_NOT_LINKED: Final = frozenset({"code", "pre", "text_link", "text_mention", "url"})
_URL: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")


def read_text(text: str, mode: str) -> FormattedText:
    """Read the text of a message.

    Args:
        text: the text, with markup in the given mode.
        mode: `HTML`, in any case, or empty for plain text.

    Raises:
        ApiError: the text is empty or too long, the markup is invalid, or the mode is not supported.
    """
    parsed = _read(text, mode)
    if not parsed.text:
        raise bad_request("message text is empty")
    if utf16_length(parsed.text) > MAX_TEXT_UNITS:
        raise bad_request("message is too long")
    return parsed


def read_caption(text: str, mode: str) -> FormattedText:
    """Read the caption of a document, which may be empty. Otherwise like `read_text`."""
    parsed = _read(text, mode)
    if utf16_length(parsed.text) > MAX_CAPTION_UNITS:
        raise bad_request("message caption is too long")
    return parsed


def _read(text: str, mode: str) -> FormattedText:
    if len(text.encode()) > _MAX_MARKUP_BYTES:
        raise bad_request("text is too long")
    if mode.lower() in _UNSUPPORTED_MODES:
        raise bad_request(f"the sandbox does not support parse_mode {mode}: send HTML or plain text")
    parse = _PARSERS.get(mode.lower())
    if parse is None:
        raise bad_request("unsupported parse_mode")
    try:
        return _with_links(_trimmed(parse(text)))
    except InvalidMarkup as error:
        raise bad_request(f"can't parse entities: {error}") from None


def _trimmed(parsed: FormattedText) -> FormattedText:
    """Strip the text, and move and clip the entities accordingly. Attributes without a value are removed."""
    text = parsed.text.strip()
    first = utf16_length(parsed.text) - utf16_length(parsed.text.lstrip())
    last = utf16_length(text)
    entities = []
    for one in parsed.entities:
        begin, end = max(0, one["offset"] - first), min(last, one["offset"] + one["length"] - first)
        if begin < end:
            entities.append(one | {"offset": begin, "length": end - begin})
    return FormattedText(text, [{name: value for name, value in one.items() if value != ""} for one in entities])


def _with_links(parsed: FormattedText) -> FormattedText:
    """Add an entity for each URL in the text that is not a link, or code, already."""
    occupied = [(one["offset"], one["offset"] + one["length"]) for one in parsed.entities if one["type"] in _NOT_LINKED]
    found = []
    for match in _URL.finditer(parsed.text):
        begin = utf16_length(parsed.text[: match.start()])
        end = begin + utf16_length(match[0])
        if all(end <= other or until <= begin for other, until in occupied):
            found.append({"type": "url", "offset": begin, "length": end - begin})
    entities = sorted([*parsed.entities, *found], key=lambda one: one["offset"])
    return FormattedText(parsed.text, entities[:_MAX_ENTITIES])
