"""Text with entities, and its builder. Offsets and lengths count UTF-16 code units, as in the Bot API."""

from dataclasses import dataclass, field
from typing import Any

Entity = dict[str, Any]


class InvalidMarkup(Exception):
    """The message says what is wrong with the markup, and at which byte."""


@dataclass(frozen=True, slots=True)
class FormattedText:
    """Text, and its entities in the order of their starts, an outer one before its inner ones."""

    text: str
    entities: list[Entity] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OpenEntity:
    """An entity that is not closed yet; `name` is its tag."""

    name: str
    entity: Entity


class FormattedTextBuilder:
    """Collects text and entities. `open` is the stack of entities that are not closed yet."""

    def __init__(self) -> None:
        self.open: list[OpenEntity] = []
        self._text: list[str] = []
        self._length = 0
        self._entities: list[Entity] = []

    def write(self, text: str) -> None:
        self._text.append(text)
        self._length += utf16_length(text)

    def open_entity(self, name: str, attributes: Entity) -> None:
        """Open an entity at the end of the text. The attributes contain its `type`."""
        entity = {**attributes, "offset": self._length, "length": 0}
        self._entities.append(entity)
        self.open.append(OpenEntity(name, entity))

    def close_entity(self) -> Entity:
        """Close the innermost entity. One without text is removed."""
        entity = self.open.pop().entity
        entity["length"] = self._length - entity["offset"]
        if not entity["length"]:
            self.remove(entity)
        return entity

    def remove(self, entity: Entity) -> None:
        self._entities = [other for other in self._entities if other is not entity]

    def covering_entities(self, outer: Entity) -> list[Entity]:
        """Other entities with exactly the span of the given one."""
        span = (outer["offset"], outer["length"])
        return [one for one in self._entities if one is not outer and (one["offset"], one["length"]) == span]

    def entity_text(self, entity: Entity) -> str:
        return utf16_slice("".join(self._text), entity["offset"], entity["length"])

    def build(self) -> FormattedText:
        return FormattedText("".join(self._text), self._entities)


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) + sum(char > "\uffff" for char in text)


def utf16_slice(text: str, offset: int, length: int) -> str:
    """Part of a text, in UTF-16 code units. Half of a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le", errors="replace")


def byte_offset(markup: str, index: int) -> int:
    """The offset in bytes of a character, as in Telegram's errors."""
    return len(markup[:index].encode())


def link_entity(url: str) -> Entity:
    """The attributes of a link. A link to a user is a mention."""
    user = url.removeprefix("tg://user?id=")
    if user != url and user.isdecimal():
        return {"type": "text_mention", "user": {"id": int(user), "is_bot": False, "first_name": "User"}}
    return {"type": "text_link", "url": url}
