"""Personal data: full names, addresses, numbers of cards, documents and orders, and requests to send such data.

A first name alone is what the buyer has shown with the review, and none.
"""

# ruff: noqa: RUF001  # the texts are in Russian

import re
from typing import Final

from service.advice.checks.readable_text import ReadableText, words_of

_NAMES: Final = (
    "александр|алексе|алин|алис|алл|анастаси|анатоли|андре|анн|антон|антонин|арс|артем|артур|богдан|борис|вадим|валенти|валери|варвар"
    "|васили|вер|виктор|виктори|виталий?|владимир|владислав|вячеслав|галин|геннади|георги|григори|гульнар|дарь|денис|диан|дмитри|евгени"
    "|екатерин|елен|елизавет|жанн|зинаид|зо|иван|игор|иль|инн|ирин|карин|кирилл|константин|кристин|ксени|лев|лид|лиди|людмил|макси?м"
    "|маргарит|мари|марин|михаил|надежд|назар|натал|ник|никит|никола|нин|оксан|олег|ольг|павел|пет?р|полин|раис|роман|руслан|рустам"
    "|светлан|семен|серге|софи|станислав|степан|тамар|татьян|тимофе|тимур|федор|эдуард|эльвир|юли|юри|яков|ян|ярослав|айгул"
)
_ENDING: Final = r"(?:ь[яюеи]|[аяуюеиойьы]|ей|ем|ом|ой|ий|ия|ию|ии|ел|ёл|ор|р|с)?"
_FIRST: Final = rf"(?i:(?:{_NAMES}){_ENDING})"
_SURNAME: Final = r"[А-ЯЁ][а-яё]{1,20}(?:(?:ов|ев|ёв|ин|ын)(?:а|у|ым|е|ой|ую)?|[сц]к(?:ий|ая|ого|ому|ой|ую|им)|енко|[чщ]ук|[чщ]ука|юк|янц?|дзе|швили|ых|ко)"
_PATRONYMIC: Final = (
    r"[А-ЯЁ][а-яё]{1,15}(?:(?:ов|ев|ьев)ич|[её]вич|ович|ьич|ич|(?:ов|ев|ьев)н|ичн|иничн)(?:а|у|ем|е|ы|ой)?"
)
_FULL_NAME: Final = re.compile(
    rf"(?<!\w){_FIRST}\s{{1,3}}(?:{_SURNAME}|{_PATRONYMIC})(?!\w)|(?<!\w){_SURNAME}\s{{1,3}}{_FIRST}(?!\w)"
    rf"|(?<!\w)(?:{_SURNAME})\s{{1,3}}[А-ЯЁ]\.\s?[А-ЯЁ]\.|(?<!\w)[А-ЯЁ]\.\s?[А-ЯЁ]\.\s?{_SURNAME}(?!\w)"
    r"|(?<!\w)(?:Mr|Mrs|Ms|Miss)\.?\s[A-Z][a-z]+|(?<!\w)(?i:господин\w?|госпож\w|гражданин\w?|граждан\w{2})\s[А-ЯЁ][а-яё]+"
)
_STREET: Final = (
    r"(?i:ул|пр|улиц\w|проспект\w?|пр-т\w?|пр-кт\w?|просп|переул\w{2,3}|пер|бульвар\w?|бул|б-р|шоссе|набережн\w{2}|проезд\w?|площадь|площади"
    r"|мкр|микрорайон\w?)"
)
_HOUSE: Final = r"(?:д\.|дом|house)\s?\d{1,4}"
# A street's name is a capitalised word, or a house follows.
_NAMED_STREET: Final = re.compile(
    rf"(?<!\w){_STREET}(?!\w)\.?\s{{0,2}}(?:\d{{1,2}}-\w{{1,2}}\s)?[А-ЯЁ][\w.-]{{1,30}}(?:\s[А-Яа-яё][\w.-]{{1,30}})?[\s,]{{1,3}}(?i:д|дом)?\.?\s?\d{{1,4}}"
)
_STREET_AFTER_NAME: Final = re.compile(
    rf"(?<!\w)[А-ЯЁ][\w-]{{2,30}}\s{_STREET}\.?,?\s{{1,2}}(?i:д|дом)?\.?\s?\d{{1,4}}"
)
_ADDRESS: Final = re.compile(
    rf"(?<!\w){_STREET}(?!\w)\.?\s{{0,2}}[а-я\d][\w.-]{{0,30}}(?:\s[а-я][\w.-]{{1,30}})?[\s,]{{1,3}}{_HOUSE}"
    r"|(?<!\w)(?:кв|квартира|квартире|квартиры|подъезд|домофон|apt)\.?\s?(?:no)?\s?\d{1,4}(?!\w)"
    r"|(?<!\w)д\.\s?\d{1,4}\w?,?\s(?:к|корп|стр|кв)\.?\s?\d"
    r"|(?<!\w)\d{1,5}\s(?:[a-z]{2,20}\s){1,2}(?:street|st|avenue|ave|road|rd)(?!\w)"
    r"|(?<!\d)[1-6]\d{5}\W{1,3}(?:г|город|респ|обл)(?!\w)|(?<!\w)индекс\W{1,3}\d{6}"
)
_DOCUMENT: Final = re.compile(
    r"(?<!\w)(?:паспорт|снилс|инн|полис|passport|удостоверени)\w{0,3}(?:\W{1,3}(?:серия|номер|no|данные|рф|number)){0,3}\W{0,4}[\dа-я]?\d{2}(?:\W{0,2}\d){3}|(?<!\d)\d{2}\s?\d{2}\W{1,3}(?:номер|no)\W{1,3}\d{6}"
    r"|(?<!\d)\d{2}\s?\d{2}\s(?:no\s?)?\d{6}(?!\d)|(?<!\d)\d{3}-\d{3}-\d{3}[ -]\d{2}(?!\d)|(?<!\w)[a-z]{2}\d{2}\s?(?:\d{4}\s?){3,6}\d{0,4}(?!\w)"
    r"|дат\w рождения\W{1,4}\d|родил\w{2,4}\s\d{1,2}\W"
)
_ORDER: Final = re.compile(
    r"(?<!\w)(?:заказ|отправлени|посылк|накладн|трек|чек|order|posting|shipment|tracking)\w{0,3}-?(?:\W{1,3}(?:номер\w{0,2}|no|number|код|id)){0,2}\W{1,4}(?=[a-z-]{0,6}\d)[a-z\d-]{5,}"
    r"|(?<!\d)\d{7,10}-\d{4}(?:-\d{1,2})?(?!\d)"
)
_ARTICLE: Final = re.compile(
    r"(?:артикул\w{0,3}|арт|sku|код\w{0,2}(?: товара)?|штрих\w{0,6}|модел\w{1,3}|парти\w|сери\w|деклараци\w|сертификат\w{0,2}|гост|ту|ozon id)\W{0,4}(?:(?:no|номер|вб|wb|это|товара)\W{0,3}){0,2}$"
)
_LONG_NUMBER: Final = re.compile(r"(?<![\w])\d{9,30}(?![\w])")
_CARD: Final = re.compile(r"(?<!\d)\d(?:[\s.-]{0,2}\d){14,18}(?!\d)")
_CARD_IN_GROUPS: Final = re.compile(r"(?<!\d)\d{4}([ .-])\d{4}\1\d{4}\1\d{4}(?!\d)")
_CARD_LENGTHS: Final = range(15, 20)
_REQUEST: Final = re.compile(
    r"(?<!\w)(?:пришли\w{0,2}|сообщи\w{0,2}|укажи\w{0,2}|напиши\w{0,2}|отправ\w{2,4}|предостав\w{2,4}|введи\w{0,2}|назови\w{0,2}|продиктуй\w{0,2}|оставь\w{0,2}|send|share|provide|enter|tell)"
    r"\W{1,3}(?:[\w-]{1,15}\W{1,3}){0,5}?(?:паспорт\w{0,3}|cvv|cvc|парол\w{1,2}|пин-?код\w?|телефона?(?!\w)|реквизит\w{0,3}|карты(?!\w)|карту(?!\w)|card|password|passport"
    r"|(?:ваш|свой|домашний|your)\s(?:адрес|address|phone)|код\w?\sиз\s(?:смс|sms|сообщени\w)|phone number|почту|email|e-mail)"
)


def has_personal_data(draft: ReadableText) -> bool:
    text = draft.lower
    if any(pattern.search(text) for pattern in (_ADDRESS, _DOCUMENT, _ORDER, _REQUEST)):
        return True
    return (
        any(pattern.search(draft.plain) for pattern in (_NAMED_STREET, _STREET_AFTER_NAME))
        or _has_long_number(text)
        or _has_card(text)
        or _has_full_name(draft)
    )


def _has_full_name(draft: ReadableText) -> bool:
    """A name that the product's name has is no customer's."""
    return any(not set(words_of(found[0])) <= draft.product_words for found in _FULL_NAME.finditer(draft.plain))


def _has_long_number(text: str) -> bool:
    return any(
        not _ARTICLE.search(text, max(0, found.start() - 32), found.start()) for found in _LONG_NUMBER.finditer(text)
    )


def _has_card(text: str) -> bool:
    return bool(_CARD_IN_GROUPS.search(text)) or any(
        _is_card([int(digit) for digit in found[0] if digit.isdigit()]) for found in _CARD.finditer(text)
    )


def _is_card(digits: list[int]) -> bool:
    """By the check digit of payment cards."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(digits) in _CARD_LENGTHS and (sum(digits[::-2]) + sum(doubled)) % 10 == 0
