"""Product names that are known from reviews, for a marketplace that does not say them beside each."""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from service.tables import NAMED, ReviewRow
from telemetry.database import transaction


def known_names(engine: Engine, marketplace: str) -> Callable[[Collection[str]], Mapping[str, str]]:
    """What gives the names of those products of which one is known."""

    def names(product_ids: Collection[str]) -> Mapping[str, str]:
        known = (
            select(ReviewRow.product_id, func.max(ReviewRow.product_name))
            .where(NAMED, ReviewRow.marketplace.concat("") == marketplace, ReviewRow.product_id.in_(product_ids))
            .group_by(ReviewRow.product_id)
        )
        with transaction(engine) as session:
            return {product_id: str(name) for product_id, name in session.execute(known)}

    return names
