"""Renders messages as HTML bubbles with formatted text. Everything that was sent is escaped."""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from service.sandbox.telegram.chats import CHATS, MANAGER_CHAT
from service.sandbox.telegram.formatted_text import Entity, utf16_length, utf16_slice
from service.sandbox.telegram.message_store import StoredMessage
from service.sandbox.telegram.phone_users import PEOPLE

EMPTY: Final = (
    '<p class="empty"><b>No messages yet</b>What the service sends to Telegram appears here: alerts, and what becomes of them. '
    "Try <code>python -m service test-alert</code>.</p>"
)
_LINK_SCHEMES: Final = ("https://", "http://", "tg://", "mailto:")
_TAGS: Final[Mapping[str, tuple[str, str]]] = {
    "bold": ("<b>", "</b>"),
    "italic": ("<i>", "</i>"),
    "underline": ("<u>", "</u>"),
    "strikethrough": ("<s>", "</s>"),
    "spoiler": ('<span class="spoiler" tabindex="0">', "</span>"),
    "code": ("<code>", "</code>"),
    "pre": ("<pre>", "</pre>"),
    "blockquote": ("<blockquote>", "</blockquote>"),
    "expandable_blockquote": ("<blockquote>", "</blockquote>"),
    "text_mention": ('<span class="mention">', "</span>"),
}
# A block element already ends its line.
_BLOCK_END: Final = re.compile(r"(</(?:pre|blockquote)>)\n")
_UNITS: Final = (("MB", 1024 * 1024), ("KB", 1024), ("B", 1))


def render_messages(messages: Iterable[StoredMessage]) -> str:
    """Oldest first, with a separator for each day."""
    days = groupby(messages, key=lambda message: _timestamp(message.date).date())
    shown = "".join(
        f'<div class="day"><span>{day.day} {day:%B %Y}</span></div>{"".join(map(_bubble, of_day))}'
        for day, of_day in days
    )
    return shown or EMPTY


def _bubble(message: StoredMessage) -> str:
    text = f'<div class="text">{render_html(message.text, message.entities)}</div>' if message.text else ""
    timestamp = _timestamp(message.date)
    edited = '<span class="edited">edited</span> ' if message.edited_at else ""
    mine = ' class="mine"' if message.person is not None else ""
    return (
        f'<article id="m{message.message_id}"{mine}>{_location(message)}{_document(message)}{text}{_keyboard(message)}'
        f'<footer>{edited}<time datetime="{timestamp.isoformat()}">{timestamp:%H:%M}</time></footer></article>'
    )


def _location(message: StoredMessage) -> str:
    """Who wrote it, unless it was the bot; the chat and topic, unless it is the manager's chat itself."""
    chat = CHATS[message.chat_id]
    parts = [] if message.person is None else [PEOPLE[message.person].first_name]
    parts += [] if chat.id == MANAGER_CHAT else [chat.name]
    if message.thread_id is not None:
        parts.append(f"# {chat.topics[message.thread_id]}")
    return f"<header>{html.escape(' · '.join(parts))}</header>" if parts else ""


def _keyboard(message: StoredMessage) -> str:
    rows = [
        "".join(
            f'<button type="button" data-message="{message.message_id}" data-row="{row}" data-column="{column}">'
            f"{html.escape(button['text'])}</button>"
            for column, button in enumerate(buttons)
        )
        for row, buttons in enumerate(message.keyboard)
    ]
    return f'<div class="keyboard">{"".join(f"<div>{row}</div>" for row in rows)}</div>' if rows else ""


def _document(message: StoredMessage) -> str:
    if message.document is None:
        return ""
    name, size = html.escape(message.document["file_name"]), _size(message.document["file_size"])
    return f'<div class="document"><i></i><div><b>{name}</b><small>{size}</small></div></div>'


def _size(count: int) -> str:
    name, unit = next(one for one in _UNITS if count >= one[1] or one[1] == 1)
    return f"{count / unit:.1f}".removesuffix(".0") + f" {name}"


def _timestamp(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def render_html(text: str, entities: Sequence[Entity]) -> str:
    """The text as HTML. An entity that crosses the end of another one is cut there."""
    return _render_span(text, entities, 0, utf16_length(text))


def _render_span(text: str, entities: Sequence[Entity], start: int, end: int) -> str:
    shown, at, rest = [], start, list(entities)
    while rest:
        outer = rest.pop(0)
        first, last = max(at, outer["offset"]), min(end, outer["offset"] + outer["length"])
        if first >= last:
            continue
        inner = [one for one in rest if one["offset"] < last]
        rest = rest[len(inner) :]
        shown += [html.escape(utf16_slice(text, at, first - at)), _render_entity(text, outer, inner, (first, last))]
        at = last
    return _BLOCK_END.sub(r"\1", "".join([*shown, html.escape(utf16_slice(text, at, end - at))]))


def _render_entity(text: str, outer: Entity, inner: Sequence[Entity], span: tuple[int, int]) -> str:
    first, last = span
    opening, closing = _tags(outer, lambda: utf16_slice(text, first, last - first))
    return f"{opening}{_render_span(text, inner, first, last)}{closing}"


def _tags(entity: Entity, text: Callable[[], str]) -> tuple[str, str]:
    address = str(entity.get("url") or text()) if entity["type"] in {"url", "text_link"} else ""
    if address.lower().startswith(_LINK_SCHEMES):
        return f'<a href="{html.escape(address)}" target="_blank" rel="noreferrer noopener">', "</a>"
    return _TAGS.get(entity["type"], ("", ""))
