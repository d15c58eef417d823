"""A review in Wildberries' format: every field, the buyer's data included."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from service.sandbox.wildberries.answer_store import Answer
from service.sandbox.wildberries.gateway import MOSCOW
from service.sandbox.wildberries.products import SUPPLIER
from service.sandbox.wildberries.review_model import SimulatedReview
from service.sandbox.wildberries.review_texts import NAMES, TAGS, random_cons, random_pros, random_text

Json = Mapping[str, Any]
_MEDIA: Final = "https://media.sandbox.invalid"


def review_payload(random: Random, review: SimulatedReview, answer: Answer | None, now: datetime) -> dict[str, Any]:
    """The JSON of a review. The random draws do not depend on the answer, so the other fields never change."""
    marked = review.processed_at is not None and review.processed_at <= now and review.buyer % 2 == 0
    processed = answer is not None or marked  # of those without an answer only some say it in their state
    return {
        "id": review.id,
        **_texts(random, review),
        "productValuation": review.rating,
        "createdDate": _created(review),
        "answer": answer and {"text": answer.text, "state": answer.state(now), "editable": answer.editable(now)},
        "state": "wbRu" if processed else "none",
        "productDetails": _product(random, review),
        "video": _video(random, review),
        "wasViewed": _chance(random, 0.3) or processed,
        "photoLinks": _photos(review),
        **_purchase(random, review),
        **_permissions(random, review),
    }


def _chance(random: Random, share: float) -> bool:
    return random.random() < share


def _texts(random: Random, review: SimulatedReview) -> Json:
    if not review.has_text:
        return {"text": "", "pros": "", "cons": ""}
    text = random_text(random, review.rating)
    pros, cons = random_pros(random, review.rating), random_cons(random, review.rating)
    return {"text": "" if pros and _chance(random, 0.15) else text, "pros": pros, "cons": cons}


def _created(review: SimulatedReview) -> str:
    """In one of the two formats that the real service sends."""
    if review.buyer % 3:
        return f"{review.created:%Y-%m-%dT%H:%M:%SZ}"
    return review.created.astimezone(MOSCOW).isoformat()


def _product(random: Random, review: SimulatedReview) -> Json:
    product = review.product
    missing = random.choice((None, None, None, None, "supplierArticle", "supplierName", "brandName"))
    details = {
        "imtId": product.imt_id,
        "nmId": product.nm_id,
        "productName": product.name,
        "supplierArticle": f"{product.article}/{_color(review)[:3]}",
        "supplierName": SUPPLIER,
        "brandName": product.brand,
        "size": random.choice(product.sizes),
    }
    return {name: None if name == missing else value for name, value in details.items()}


def _color(review: SimulatedReview) -> str:
    colors = review.product.colors
    return colors[review.buyer // 1_000 % len(colors)]


def _photos(review: SimulatedReview) -> list[Json] | None:
    paths = [f"{_MEDIA}/{review.id}/photos/{number}" for number in range(1, review.photos + 1)]
    return [{"fullSize": f"{path}/fs.webp", "miniSize": f"{path}/ms.webp"} for path in paths] or None


def _video(random: Random, review: SimulatedReview) -> Json | None:
    seconds = random.randint(3, 60)
    if not _chance(random, 0.06):
        return None
    path = f"{_MEDIA}/{review.id}/video"
    return {"previewImage": f"{path}/preview.webp", "link": f"{path}/index.m3u8", "durationSec": seconds}


def _purchase(random: Random, review: SimulatedReview) -> Json:
    bought = review.created - timedelta(hours=random.uniform(30, 600), microseconds=random.randrange(1_000_000))
    has_sizes = len(review.product.sizes) > 1
    return {
        "userName": NAMES[review.buyer % 1_009 % len(NAMES)],
        "matchingSize": random.choice(("ok", "ok", "ok", "smaller", "bigger", "")) if has_sizes else "",
        "orderStatus": random.choice(("buyout", "buyout", "buyout", "returned", "rejected", "notSpecified")),
        "bables": random.sample(TAGS, random.randint(1, 3)) if _chance(random, 0.4) else None,
        "lastOrderShkId": 35_830_000_000 + review.buyer,
        "lastOrderCreatedAt": f"{bought:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z",
        "color": _color(review),
        "subjectId": review.product.subject_id,
        "subjectName": review.product.subject,
    }


def _permissions(random: Random, review: SimulatedReview) -> Json:
    """What else the seller may do about the review."""
    returned = _chance(random, 0.05)
    return {
        "isAbleSupplierFeedbackValuation": _chance(random, 0.9),
        "supplierFeedbackValuation": 0,
        "isAbleSupplierProductValuation": _chance(random, 0.9),
        "supplierProductValuation": 0,
        "isAbleReturnProductOrders": not returned and review.rating in range(1, 4),
        "returnProductOrdersDate": f"{review.created + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}" if returned else None,
    }
