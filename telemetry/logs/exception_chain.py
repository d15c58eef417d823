"""Walks from an exception to those that it came from."""

from collections.abc import Iterator
from typing import Final

_MAX_CHAIN: Final = 10


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
