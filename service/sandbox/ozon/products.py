"""The seller's catalogue at Ozon, and the method that lists products."""

# ruff: noqa: RUF001  # Russian words of one letter look like Latin ones

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from service.sandbox.ozon.errors import invalid
from service.sandbox.ozon.method import Body, Method


@dataclass(frozen=True, slots=True)
class Product:
    """A product; `price` is in roubles. A withdrawn product was sold, and no method returns it any more."""

    number: int
    name: str
    colour: str
    price: int
    withdrawn: bool = False

    @property
    def sku(self) -> int:
        return 1_700_223_300 + 11 * self.number

    @property
    def product_id(self) -> int:
        return 90_410_000 + 7 * self.number

    @property
    def offer_id(self) -> str:
        return f"SV-{self.number + 10}"

    @property
    def amount(self) -> str:
        return f"{self.price}.00"


_SOLD: Final = (
    ("Пижама женская, хлопок", "белый", 2080),
    ("Пижама мужская с брюками", "тёмно-синий", 2490),
    ("Халат махровый с капюшоном", "серый", 3150),
    ("Плед вязаный 150×200", "бежевый", 2790),
    ("Комплект постельного белья, сатин", "мятный", 4390),
    ("Наволочка 50×70, 2 шт.", "белый", 690),
    ("Полотенце банное", "терракотовый", 890),
    ("Набор полотенец, 3 шт.", "молочный", 1590),
    ("Тапочки домашние с эффектом памяти", "розовый", 1120),
    ("Носки тёплые, 5 пар", "разноцветный", 750),
    ("Фартук кухонный с карманом", "оливковый", 940),
    ("Скатерть водоотталкивающая 140×180", "серый", 1340),
    ("Подушка с лузгой гречихи", "бежевый", 1690),
    ("Одеяло всесезонное 172×205", "белый", 3290),
    ("Наматрасник на резинке 160×200", "белый", 1980),
    ("Коврик для ванной", "голубой", 1050),
    ("Шторы блэкаут, 2 шт.", "графитовый", 3670),
    ("Корзина для белья складная", "чёрный", 1430),
    ("Органайзер для ящика, 4 шт.", "белый", 980),
    ("Мешочки для стирки, 6 шт.", "белый", 540),
)
CATALOGUE: Final = (
    *(Product(number, *sold) for number, sold in enumerate(_SOLD)),
    Product(len(_SOLD), "Пижама детская, прошлый сезон", "жёлтый", 1290, withdrawn=True),
)
_MAX_IDS: Final = 1000


class ProductInfoListRequest(Body):
    """Numbers may also be strings."""

    sku: Annotated[tuple[int, ...], Field(max_length=_MAX_IDS)] = ()
    offer_id: Annotated[tuple[str, ...], Field(max_length=_MAX_IDS)] = ()
    product_id: Annotated[tuple[int, ...], Field(max_length=_MAX_IDS)] = ()


def product_methods() -> dict[str, Method]:
    return {"/v3/product/info/list": Method(ProductInfoListRequest, _list_products)}


def _list_products(request: ProductInfoListRequest) -> dict[str, Any]:
    if not 1 <= len(request.sku) + len(request.offer_id) + len(request.product_id) <= _MAX_IDS:
        raise invalid("Request validation error: invalid ProductInfoListRequest: 1 to 1000 identifiers are required")
    return {
        "items": [
            _payload(product) for product in CATALOGUE if not product.withdrawn and _is_requested(product, request)
        ]
    }


def _is_requested(product: Product, request: ProductInfoListRequest) -> bool:
    return (
        product.sku in request.sku or product.offer_id in request.offer_id or product.product_id in request.product_id
    )


def _payload(product: Product) -> dict[str, Any]:
    return {
        "id": product.product_id,
        "name": product.name,
        "offer_id": product.offer_id,
        "sources": [{"sku": product.sku, "source": "sds", "created_at": "2026-03-02T09:15:00Z", "quant_code": ""}],
        "is_archived": False,
        "barcodes": [f"OZN{product.sku}"],
        "price": product.amount,
        "old_price": f"{product.price * 5 // 4}.00",
        "currency_code": "RUB",
        "primary_image": [f"https://images.invalid/{product.product_id}.jpg"],
        "images": [],
        "created_at": "2026-03-01T10:00:00Z",
        "updated_at": "2026-10-11T16:20:00Z",
    }
