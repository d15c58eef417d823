"""The answers of the fake model: in Russian, random, and appropriate to the rating of the review."""

# ruff: noqa: RUF001  # the texts are Russian

import re
from random import Random
from typing import Final

_RATING: Final = re.compile(
    r"(?:оценк\w*|рейтинг\w*|rating|stars?|звёзд\w*|звезд\w*)\W{0,6}([1-5])(?!\d)|\b([1-5])\s*(?:из|/|of|out of)\s*5",
    re.IGNORECASE,
)
_BAD: Final = re.compile(r"плох|ужас|брак|слома|разочар|не работ|не подош|верну|порва|обман", re.IGNORECASE)
_FAIR: Final = 3

_GREETINGS: Final = ("Здравствуйте!", "Добрый день!", "Приветствуем вас!")
_BODIES: Final = {
    "good": (
        "Спасибо за высокую оценку. Очень рады, что товар вам понравился.",
        "Благодарим за тёплые слова. Нам приятно знать, что покупка вас порадовала.",
        "Спасибо, что нашли время поделиться впечатлениями. Пусть вещь служит вам долго.",
        "Ваш отзыв нас вдохновляет. Спасибо, что выбрали наш магазин.",
    ),
    "fair": (
        "Спасибо за честный отзыв. Передали ваши замечания коллегам, чтобы товар стал лучше.",
        "Благодарим за обратную связь. Жаль, что не всё вам понравилось, мы учтём ваши слова.",
        "Спасибо, что рассказали и о плюсах, и о минусах. Мы разберёмся с тем, что вас смутило.",
    ),
    "bad": (
        "Нам очень жаль, что покупка вас разочаровала. Просим прощения за неудобства и проверим эту партию.",
        "Приносим извинения за такое впечатление и благодарим за честный отзыв. Мы разберёмся, как так вышло.",
        "Сожалеем, что товар не оправдал ожиданий. Уже передали ваш отзыв в отдел качества.",
    ),
}
_CLOSINGS: Final = {
    "good": ("Будем рады видеть вас снова!", "Ждём вас за новыми покупками!", "Всего вам доброго!"),
    "fair": ("Надеемся, что следующая покупка порадует вас больше.", "Всего вам доброго!"),
    "bad": ("Спасибо, что рассказали нам об этом.", "Надеемся исправить ваше впечатление о нас."),
}


def detect_mood(question: str) -> str:
    """`good`, `fair` or `bad`, by the rating in the question, or by its words if there is none."""
    found = _RATING.search(question)
    if found is None:
        return "bad" if _BAD.search(question) else "good"
    rating = int(found[1] or found[2])
    return "fair" if rating == _FAIR else "good" if rating > _FAIR else "bad"


def reply(question: str, random: Random) -> str:
    """An answer to the review in the question."""
    mood = detect_mood(question)
    return " ".join(random.choice(part) for part in (_GREETINGS, _BODIES[mood], _CLOSINGS[mood]))
