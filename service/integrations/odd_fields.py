"""Reads the fields of a row that can be done without: one that is odd is left out and noted, and the row is kept."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from service.integrations.marketplace import InvalidField, InvalidPayload

T = TypeVar("T")


class OddFields:
    """What could not be read of one row."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def read(self, field: Callable[[], T], otherwise: T) -> T:
        """The value of a field, or what stands for it if the field is odd."""
        try:
            return field()
        except InvalidField as error:
            self._reasons.append(str(error))
            return otherwise

    def noted(self, external_id: str, payload: Mapping[str, Any]) -> InvalidPayload | None:
        """The odd part of a row that is kept all the same; None if nothing is odd. `payload` has no personal data."""
        if not self._reasons:
            return None
        return InvalidPayload(
            external_id=external_id, reason=f"kept, but not all of it: {'; '.join(self._reasons)}", payload=payload
        )
