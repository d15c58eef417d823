"""Text with entities while it is written: their offsets and lengths count UTF-16 units, as Telegram's do."""

from dataclasses import dataclass, field
from typing import Any

Entity = dict[str, Any]


class Unparsable(Exception):
    """The message says what is wrong with the markup, and where."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """`entities` stand in the order in which they begin, an outer one before what is in it."""

    text: str
    entities: list[Entity] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Open:
    """An entity that has begun: by the tag or mark `name`, at an index of the markup."""

    name: str
    at: int
    entity: Entity


class Writer:
    """What markup says: its text, the entities that are closed, and a stack of those that are not."""

    def __init__(self) -> None:
        self.open: list[Open] = []
        self._text: list[str] = []
        self._length = 0
        self._entities: list[Entity] = []

    @property
    def top(self) -> str:
        """The type of the innermost entity that is open."""
        return str(self.open[-1].entity["type"]) if self.open else ""

    def write(self, text: str) -> None:
        self._text.append(text)
        self._length += utf16(text)

    def begin(self, name: str, at: int, attributes: Entity) -> None:
        """The attributes have its type."""
        entity = {**attributes, "offset": self._length, "length": 0}
        self._entities.append(entity)
        self.open.append(Open(name, at, entity))

    def end(self) -> Entity:
        """Closes the innermost one. One without text is none."""
        entity = self.open.pop().entity
        entity["length"] = self._length - entity["offset"]
        if not entity["length"]:
            self.drop(entity)
        return entity

    def drop(self, entity: Entity) -> None:
        self._entities = [kept for kept in self._entities if kept is not entity]

    def inside(self, outer: Entity) -> list[Entity]:
        """Those that take all of the outer one's text."""
        span = (outer["offset"], outer["length"])
        return [one for one in self._entities if one is not outer and (one["offset"], one["length"]) == span]

    def text_of(self, entity: Entity) -> str:
        return cut("".join(self._text), entity["offset"], entity["length"])

    def parsed(self) -> Parsed:
        return Parsed("".join(self._text), self._entities)


def utf16(text: str) -> int:
    """Its length in UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def cut(text: str, offset: int, length: int) -> str:
    """A part of a text, in UTF-16 units; half of a character that is two of them becomes a question mark."""
    return text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le", errors="replace")


def offset_of(markup: str, at: int) -> int:
    """In bytes, as Telegram's errors count."""
    return len(markup[:at].encode())


def link(url: str) -> Entity:
    """The attributes of a link; one to a user is a mention."""
    user = url.removeprefix("tg://user?id=")
    if user != url and user.isdecimal():
        return {"type": "text_mention", "user": {"id": int(user), "is_bot": False, "first_name": "User"}}
    return {"type": "text_link", "url": url}
