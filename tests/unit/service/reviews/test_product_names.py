import re

from sqlalchemy import text

from service.reviews.product_names import known_names
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction
from tests.support.fakes import NOON, a_review, plans_of, without_statistics


def of_ozon(number, product_id, product_name):
    return a_review(number, marketplace="ozon", product_id=product_id, product_name=product_name)


def test_products_are_known_by_the_names_that_reviews_told(engine):
    told = [of_ozon(1, "1", "Pyjamas"), of_ozon(2, "1", "Pyjamas"), of_ozon(3, "2", None), of_ozon(4, "3", "Scarf")]
    with transaction(engine) as session:
        ReviewRepository(session).save([*told, a_review(5, product_id="2", product_name="Of another shop")], NOON)

    names = known_names(engine, "ozon")

    assert names(["1", "2", "4"]) == {"1": "Pyjamas"}
    assert names([]) == {}


def test_names_are_found_along_an_index_also_while_the_database_knows_nothing_of_its_rows(engine):
    """PostgreSQL must not use an index that begins with the marketplace, and read all of its reviews."""
    if engine.name == "postgresql":
        without_statistics(engine, "reviews")
    with transaction(engine) as session:
        reviews = [of_ozon(number, str(number % 50), "Pyjamas") for number in range(1000)]
        ReviewRepository(session).save(reviews, NOON)
    names = known_names(engine, "ozon")

    unknown = plans_of(engine, lambda: names(["7", "8"]))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    known = plans_of(engine, lambda: names(["7", "8"]))

    for [plan] in (unknown, known):
        assert re.search(r"ix_reviews_product_names\b[^\n]*(\n *Index Cond: | )\(+product_id", plan), plan
