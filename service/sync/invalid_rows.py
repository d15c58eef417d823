"""Dead-letter table of rows that could not be parsed or stored, each with its reason."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.database.tables import InvalidRow
from service.database.upsert import digest, insert_into
from service.integrations.marketplace import InvalidPayload
from telemetry.json_safe import json_safe, without_surrogates

MAX_ROWS_PER_STREAM: Final = 10_000
_MAX_REASON_LENGTH: Final = 500
_MAX_ID_LENGTH: Final = 100


class InvalidRows:
    """The invalid rows of one stream, such as `wb.reviews` (column `source`). Does not commit."""

    def __init__(self, session: Session, stream: str) -> None:
        self._session = session
        self._stream = stream

    def record(self, rows: Sequence[InvalidPayload], now: datetime) -> None:
        """Add rows. A known one is counted again instead. Deletes the oldest beyond MAX_ROWS_PER_STREAM."""
        for row in rows:
            insert = insert_into(self._session, InvalidRow).values(
                **_values(row), source=self._stream, last_seen_at=now
            )
            seen_again = {"last_seen_at": now, "times": InvalidRow.times + 1}
            key = [InvalidRow.source, InvalidRow.fingerprint]
            upsert = insert.values(first_seen_at=now, times=1).on_conflict_do_update(
                index_elements=key, set_=seen_again
            )
            self._session.execute(upsert)
        if rows:
            self._prune()

    def resolve(self, external_ids: Iterable[str]) -> None:
        """Delete the rows of these ids: they have been read successfully since."""
        of_stream = InvalidRow.source == self._stream, InvalidRow.external_id.in_(list(external_ids))
        self._session.execute(delete(InvalidRow).where(*of_stream))

    def _prune(self) -> None:
        of_stream = InvalidRow.source == self._stream
        surplus = select(InvalidRow.id).where(of_stream).order_by(InvalidRow.id.desc()).offset(MAX_ROWS_PER_STREAM)
        if newest := self._session.scalar(surplus.limit(1)):
            self._session.execute(delete(InvalidRow).where(of_stream, InvalidRow.id <= newest))


def _values(row: InvalidPayload) -> dict[str, Any]:
    """The columns of a row, without the characters that a database rejects."""
    external_id = None if row.external_id is None else without_surrogates(row.external_id)[:_MAX_ID_LENGTH]
    reason, payload = without_surrogates(row.reason)[:_MAX_REASON_LENGTH], json_safe(row.payload)
    return {
        "external_id": external_id,
        "reason": reason,
        "payload": payload,
        "fingerprint": digest(external_id, reason, payload),
    }
