"""Walks from an exception to those that it came from, and into groups of exceptions."""

from collections.abc import Iterator
from typing import Final

from telemetry.json_safe import to_text

_MAX_CHAIN: Final = 10
_MAX_LEAVES: Final = 50
_MAX_VISITED: Final = 1000
_SHOWN_LEAVES: Final = 5


def leaves(error: BaseException) -> list[BaseException]:
    """What failed: the members of a group, to any depth and in order, at most 50; of another exception itself."""
    pending: list[BaseException] = [error]
    found: list[BaseException] = []
    for _ in range(_MAX_VISITED):
        if not pending or len(found) == _MAX_LEAVES:
            break
        current = pending.pop()
        if isinstance(current, BaseExceptionGroup) and current.exceptions:
            pending += reversed(current.exceptions)
        else:
            found.append(current)
    return found or [error]


def error_text(error: BaseException) -> str:
    """`str(error)`, its class name if that is empty. Of a group, the text of the one that failed, or of each different one."""
    failed = leaves(error)
    if len(failed) == 1:
        return to_text(failed[0]) or type(failed[0]).__name__
    texts = list(dict.fromkeys(f"{type(each).__name__}: {to_text(each)}".removesuffix(": ") for each in failed))
    more = f"; {len(texts) - _SHOWN_LEAVES} more" if len(texts) > _SHOWN_LEAVES else ""
    return "; ".join(texts[:_SHOWN_LEAVES]) + more


def error_type(error: BaseException) -> str:
    """The class name; of a group that of its members, if they are all of one class."""
    names = {type(each).__name__ for each in leaves(error)}
    return names.pop() if len(names) == 1 else type(error).__name__


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what a traceback shows above it: causes, and contexts that are not suppressed. At most ten."""
    current: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def related(error: BaseException) -> Iterator[BaseException]:
    """The exception, all its causes and contexts, and the members of groups, to any depth; each one once."""
    pending, seen = [error], {id(error)}
    while pending:
        yield (current := pending.pop())
        neighbours = [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            neighbours += current.exceptions
        fresh = [other for other in neighbours if other is not None and id(other) not in seen]
        seen.update(map(id, fresh))
        pending += fresh
