"""Product names that are known from reviews, for a marketplace that does not say them beside each."""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from service.database.tables import NAMED, ReviewRow
from telemetry.database import transaction


def known_names(engine: Engine, marketplace: str) -> Callable[[Collection[str]], Mapping[str, str]]:
    """What gives the names of those products of which one is known."""

    def names(product_ids: Collection[str]) -> Mapping[str, str]:
        # By the product alone: for the bare column's sake PostgreSQL may read all that the marketplace has.
        those = ReviewRow.product_id.in_(product_ids), ReviewRow.marketplace.concat("") == marketplace
        name = func.max(ReviewRow.product_name)
        known = select(ReviewRow.product_id, name).where(NAMED, *those).group_by(ReviewRow.product_id)
        with transaction(engine) as session:
            return {product_id: str(told) for product_id, told in session.execute(known)}

    return names
