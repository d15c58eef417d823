"""Invented buyers. The names, addresses and numbers do not exist; a client must not keep them all the same."""

# ruff: noqa: RUF001  # Russian words of one letter look like Latin ones

from random import Random
from typing import Any, Final

from service.sandbox.ozon.posting_model import Posting

CITIES: Final = (
    ("Нижние Примеры", "Примерная область"),
    ("Песочный Яр", "Образцовый край"),
    ("Макетово", "Примерная область"),
    ("Верхний Тестоград", "Республика Проба"),
)
_NAMES: Final = (
    "Агния Песочникова",
    "Тимур Примеров",
    "Злата Макетова",
    "Демьян Тестоградский",
    "Василиса Пробникова",
    "Платон Заглушкин",
)


def customer(random: Random, posting: Posting) -> dict[str, Any]:
    name = random.choice(_NAMES)
    return {
        "customer_id": 500_000 + posting.number,
        "customer_email": f"buyer{posting.number}@example.invalid",
        "name": name,
        "phone": _phone(random),
        "address": _address(random),
    }


def addressee(random: Random) -> dict[str, Any]:
    return {"name": random.choice(_NAMES), "phone": _phone(random)}


def legal_info(random: Random) -> dict[str, Any]:
    """The data of a buyer that is a company."""
    return {
        "company_name": f"ООО «{random.choice(_NAMES).split()[1]} и партнёры»",
        "inn": f"00{random.randrange(10**8):08d}",
        "kpp": f"00{random.randrange(10**7):07d}",
    }


def _phone(random: Random) -> str:
    return f"+7000{random.randrange(10**7):07d}"


def _address(random: Random) -> dict[str, Any]:
    city, region = random.choice(CITIES)
    street = f"Образцовая ул., д. {random.randint(1, 99)}, кв. {random.randint(1, 300)}"
    return {
        "address_tail": f"{city}, {street}",
        "city": city,
        "comment": random.choice(("", "Домофон не работает, позвоните", "Оставить у двери")),
        "country": "Россия",
        "district": "",
        "latitude": round(random.uniform(50, 60), 6),
        "longitude": round(random.uniform(30, 90), 6),
        "provider_pvz_code": "",
        "pvz_code": random.randint(1000, 9999),
        "region": region,
        "zip_code": f"000{random.randint(100, 999)}",
    }
