from service.product_names import known_names
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction
from tests.service.marketplace_fakes import NOON, a_review


def of_ozon(number, product_id, product_name):
    return a_review(number, marketplace="ozon", product_id=product_id, product_name=product_name)


def test_products_are_known_by_the_names_that_reviews_told(engine):
    told = [of_ozon(1, "1", "Pyjamas"), of_ozon(2, "1", "Pyjamas"), of_ozon(3, "2", None), of_ozon(4, "3", "Scarf")]
    with transaction(engine) as session:
        ReviewRepository(session).save([*told, a_review(5, product_id="2", product_name="Of another shop")], NOON)

    names = known_names(engine, "ozon")

    assert names(["1", "2", "4"]) == {"1": "Pyjamas"}
    assert names([]) == {}
