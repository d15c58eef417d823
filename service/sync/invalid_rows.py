"""InvalidRows: rows that can't be read, kept with their reason until they can, or until there are too many of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.database.tables import InvalidRow
from service.database.upsert import digest, insert_into
from service.integrations.marketplace import InvalidPayload
from telemetry.json_safe import json_safe, without_surrogates

MAX_ROWS_PER_SOURCE: Final = 10_000
_REASON: Final = 500
_EXTERNAL_ID: Final = 100


class InvalidRows:
    """`source` is what they are rows of, such as `wb.reviews`."""

    def __init__(self, session: Session, source: str) -> None:
        self._session = session
        self._source = source

    def keep(self, rows: Sequence[InvalidPayload], now: datetime) -> None:
        """One that is there already is counted, and not kept twice. Of too many the oldest go."""
        for row in rows:
            insert = insert_into(self._session, InvalidRow).values(
                **_values(row), source=self._source, last_seen_at=now
            )
            again = {"last_seen_at": now, "times": InvalidRow.times + 1}
            key = [InvalidRow.source, InvalidRow.fingerprint]
            once = insert.values(first_seen_at=now, times=1).on_conflict_do_update(index_elements=key, set_=again)
            self._session.execute(once)
        if rows:
            self._bound()

    def forget(self, external_ids: Iterable[str]) -> None:
        """They have been read well since."""
        ours = InvalidRow.source == self._source, InvalidRow.external_id.in_(list(external_ids))
        self._session.execute(delete(InvalidRow).where(*ours))

    def _bound(self) -> None:
        ours = InvalidRow.source == self._source
        surplus = select(InvalidRow.id).where(ours).order_by(InvalidRow.id.desc()).offset(MAX_ROWS_PER_SOURCE)
        if newest := self._session.scalar(surplus.limit(1)):
            self._session.execute(delete(InvalidRow).where(ours, InvalidRow.id <= newest))


def _values(row: InvalidPayload) -> dict[str, Any]:
    """As every database takes it: what a row is kept aside for must not be in the way here, too."""
    known = None if row.external_id is None else without_surrogates(row.external_id)[:_EXTERNAL_ID]
    reason, payload = without_surrogates(row.reason)[:_REASON], json_safe(row.payload)
    return {
        "external_id": known,
        "reason": reason,
        "payload": payload,
        "fingerprint": digest(known, reason, payload),
    }
