"""The invented products of the seller at Wildberries."""
# ruff: noqa: RUF001  # the texts are Russian

from dataclasses import dataclass
from typing import Final

SUPPLIER: Final = 'ООО "Песочница"'


@dataclass(frozen=True, slots=True)
class Product:
    """A product.

    Attributes:
        sizes: a product without sizes has the size "0".
        price: in roubles, before any discount.
    """

    nm_id: int
    imt_id: int
    name: str
    article: str
    brand: str
    subject_id: int
    subject: str
    category: str
    colors: tuple[str, ...]
    sizes: tuple[str, ...]
    price: int


_CLOTHING_SIZES: Final = ("XS", "S", "M", "L", "XL")
_NO_SIZE: Final = ("0",)
_CLOTHES: Final = "Одежда"
_HOME: Final = "Дом"
_KITCHEN: Final = "Кухня"

# name, article, brand, (subject id, subject), category, colours, sizes, price
_GOODS: Final = (
    (
        "Пижама хлопковая «Тихий час»",
        "PJ-12",
        "Луговина",
        (162, "Пижамы"),
        _CLOTHES,
        "синий серый мятный",
        _CLOTHING_SIZES,
        3200,
    ),
    (
        "Пижама тёплая с начёсом",
        "PJ-14",
        "Луговина",
        (162, "Пижамы"),
        _CLOTHES,
        "бордовый серый",
        _CLOTHING_SIZES,
        3900,
    ),
    ("Халат махровый длинный", "HL-02", "Луговина", (147, "Халаты"), _CLOTHES, "белый песочный", _CLOTHING_SIZES, 4600),
    ("Сорочка ночная «Лён и ветер»", "SR-07", "Луговина", (149, "Сорочки"), _CLOTHES, "белый", _CLOTHING_SIZES, 2400),
    (
        "Футболка базовая плотная",
        "TS-01",
        "Сорок Сорок",
        (192, "Футболки"),
        _CLOTHES,
        "чёрный белый хаки",
        _CLOTHING_SIZES,
        1500,
    ),
    (
        "Футболка оверсайз с принтом «Кит»",
        "TS-05",
        "Сорок Сорок",
        (192, "Футболки"),
        _CLOTHES,
        "белый",
        _CLOTHING_SIZES,
        1900,
    ),
    (
        "Худи с капюшоном без молнии",
        "HD-03",
        "Сорок Сорок",
        (1724, "Худи"),
        _CLOTHES,
        "серый лиловый",
        _CLOTHING_SIZES,
        4200,
    ),
    ("Носки хлопковые, 7 пар", "NS-77", "Сорок Сорок", (194, "Носки"), _CLOTHES, "чёрный", ("36-39", "40-43"), 990),
    ("Постельное бельё «Мята» 2-спальное", "KP-20", "Тихий Двор", (163, "КПБ"), _HOME, "мятный", _NO_SIZE, 5400),
    ("Плед вязаный крупной вязки", "PL-08", "Тихий Двор", (172, "Пледы"), _HOME, "молочный терракот", _NO_SIZE, 3700),
    ("Подушка с гречихой 40×60", "PD-46", "Тихий Двор", (164, "Подушки"), _HOME, "серый", _NO_SIZE, 1800),
    ("Полотенце вафельное, 3 шт.", "PT-33", "Тихий Двор", (176, "Полотенца"), _HOME, "белый голубой", _NO_SIZE, 1200),
    ("Коврик для ванной «Галька»", "KV-15", "Тихий Двор", (178, "Коврики"), _HOME, "серый", _NO_SIZE, 1600),
    ("Шторы блэкаут, комплект", "SH-60", "Тихий Двор", (171, "Шторы"), _HOME, "графит бежевый", _NO_SIZE, 4900),
    ("Сковорода литая 26 см", "SK-26", "Veresk Home", (421, "Сковороды"), _KITCHEN, "чёрный", _NO_SIZE, 2900),
    ("Кастрюля с крышкой 3 л", "KS-30", "Veresk Home", (422, "Кастрюли"), _KITCHEN, "стальной", _NO_SIZE, 3300),
    ("Доска разделочная из бука", "DS-02", "Veresk Home", (430, "Доски"), _KITCHEN, "натуральный", _NO_SIZE, 1400),
    ("Кружка керамическая «Облако» 400 мл", "KR-04", "Veresk Home", (428, "Кружки"), _KITCHEN, "белый", _NO_SIZE, 890),
    ("Термос с ситечком 1 л", "TR-10", "Veresk Home", (433, "Термосы"), _KITCHEN, "хаки синий", _NO_SIZE, 2600),
    ("Контейнеры для еды, 5 шт.", "NB-55", "Veresk Home", (431, "Контейнеры"), _KITCHEN, "белый", _NO_SIZE, 1700),
)

PRODUCTS: Final = tuple(
    Product(
        nm_id=245_901_773 + 1_013 * place,
        imt_id=310_045_112 + 877 * place,
        name=name,
        article=article,
        brand=brand,
        subject_id=subject_id,
        subject=subject,
        category=category,
        colors=tuple(colors.split()),
        sizes=sizes,
        price=price,
    )
    for place, (name, article, brand, (subject_id, subject), category, colors, sizes, price) in enumerate(_GOODS)
)
