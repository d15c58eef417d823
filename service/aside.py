"""Aside: rows that can't be read, kept with their reason until they can, or until there are too many of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.marketplaces.marketplace import Invalid
from service.tables import InvalidRow
from service.upserts import digest, insert_into

MOST: Final = 10_000
_REASON: Final = 500


class Aside:
    """`source` is what they are rows of, such as `wb.reviews`."""

    def __init__(self, session: Session, source: str) -> None:
        self._session = session
        self._source = source

    def keep(self, rows: Sequence[Invalid], now: datetime) -> None:
        """One that is there already is counted, and not kept twice."""
        for row in rows:
            insert = insert_into(self._session, InvalidRow).values(
                source=self._source,
                external_id=row.external_id,
                reason=row.reason[:_REASON],
                payload=dict(row.payload),
                fingerprint=digest(row.external_id, row.reason, row.payload),
                first_seen_at=now,
                last_seen_at=now,
                times=1,
            )
            again = {"last_seen_at": now, "times": InvalidRow.times + 1}
            key = [InvalidRow.source, InvalidRow.fingerprint]
            self._session.execute(insert.on_conflict_do_update(index_elements=key, set_=again))

    def forget(self, external_ids: Iterable[str]) -> None:
        """They have been read well since."""
        ours = InvalidRow.source == self._source, InvalidRow.external_id.in_(list(external_ids))
        self._session.execute(delete(InvalidRow).where(*ours))

    def is_empty(self) -> bool:
        return self._session.scalar(select(InvalidRow.id).where(InvalidRow.source == self._source).limit(1)) is None

    def bound(self, most: int = MOST) -> None:
        """The oldest of too many go."""
        ours = InvalidRow.source == self._source
        surplus = select(InvalidRow.id).where(ours).order_by(InvalidRow.id.desc()).offset(most)
        if newest := self._session.scalar(select(func.max(surplus.subquery().c.id))):
            self._session.execute(delete(InvalidRow).where(ours, InvalidRow.id <= newest))
