"""Product names known from stored reviews, for a marketplace that does not send them with each review."""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from service.database.tables import NAMED, ReviewRow
from telemetry.database import transaction


def known_names(engine: Engine, marketplace: str) -> Callable[[Collection[str]], Mapping[str, str]]:
    """A function that reads names by product id from the database. Products without a known name are left out."""

    def read_names(product_ids: Collection[str]) -> Mapping[str, str]:
        # The concatenation keeps PostgreSQL from the index of the marketplace, by which it may read all of its rows.
        conditions = ReviewRow.product_id.in_(product_ids), ReviewRow.marketplace.concat("") == marketplace
        max_name = func.max(ReviewRow.product_name)
        known = select(ReviewRow.product_id, max_name).where(NAMED, *conditions).group_by(ReviewRow.product_id)
        with transaction(engine) as session:
            return {product_id: str(name) for product_id, name in session.execute(known)}

    return read_names
