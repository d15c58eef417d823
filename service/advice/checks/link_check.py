"""Links, e-mail addresses, accounts in messengers and QR codes, also spelled out."""

# ruff: noqa: RUF001  # the texts are in Russian

import re
from typing import Final

from service.advice.checks.readable_text import ReadableText

# Endings that stand for a domain also where the dot has spaces around it, or is a word.
_SURE: Final = "ru|рф|com|net|org|su|kz|by|uz|ua|kg|biz|xyz|info|shop|store|site|online|me|io|ру|ком|бел|қаз|укр"
# The rest: only without spaces, and not as the first word of a sentence ("Спасибо.Онлайн").
_OTHER: Final = (
    "am|ge|az|tj|md|eu|de|uk|us|cn|co|ly|cc|tv|gg|gl|to|app|dev|link|page|space|website|fun|live|life|top|club|pro|click|icu|vip|орг"
    "|рус|сайт|онлайн"
)
_DOT: Final = r"(?:точка|тчк|dot|дот)"
_BRACKETED_DOT: Final = rf"[(\[{{<]\s?(?:\.|{_DOT})\s?[)\]}}>]"
_LINK: Final = re.compile(
    r"[a-z][a-z0-9+.-]{1,15}\s{0,2}:\s{0,2}//|(?<![a-z])(?:javascript|data|mailto|tel|tg|viber|whatsapp)\s?:\s?[+\w/]"
    r"|(?<![a-z])www\s?\.|(?<![a-z])hxxp|хттп|(?<!\w)xn--"
    rf"|(?<![\w@.-])(?:[\w-]{{1,63}}[.]){{1,5}}(?:{_SURE})(?![\w-])"
    rf"|[\w-]\s{{1,3}}\.\s{{0,3}}(?:{_SURE})(?!\w)"
    rf"|[\w-]\s{{0,3}}{_BRACKETED_DOT}\s{{0,3}}\w{{2}}"
    rf"|\w\s{{1,3}}{_DOT}\s{{1,3}}(?:{_SURE}|{_OTHER})(?!\w)"
    r"|(?<!\w)(?:озон|ozon|вайлдбер\w{2,6}|wildberries|вб)\s{1,3}(?:ру|ru)(?!\w)"
    r"|(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
    r"|(?<![\w.])@\s?[a-zа-я]\w{2}"
    r"|(?<!\w)qr(?!\w)|(?<!\w)(?:кью-?ар|куар)(?:\W{0,2}код|(?!\w))"
    r"|(?<!\w)(?:по|на|наш\w{1,2}|эт\w{1,2}|вот|моя)\s(?:\w{1,12}\s)?ссылк"
)
# Before letters became small ones: the first word of a sentence is none of these endings.
_WORDLIKE_LINK: Final = re.compile(rf"(?<![\w@.-])(?:[\w-]{{1,63}}[.]){{1,5}}(?:{_OTHER})(?![\w-])")
_SMALL_AFTER_DOT: Final = re.compile(r"[\w-]{2}\.\s{1,3}(?:ru|com|org|su|рф|kz|uz|biz|xyz)(?![\w-])")
_CONTACT: Final = re.compile(
    r"пиши(?:те)?$|напиши(?:те)?$|напишете$|свяжитесь|связаться|подпи(?:шитесь|сывайтесь)|найдите|найдете|ищите|добавляйтесь|перейдите"
    r"|переходите|обращайтесь|обратитесь|ждем$|пришлите|присылайте|наш(?:|ем|его|а|у|ей|и|ему)$"
    r"|write$|contact|message$|dm$|follow$|join$|find$|our$"
)
_MESSENGER: Final = re.compile(
    r"теле(?:га|ге|гу|грам\w*)$|telegram|тг$|tg$|инст(?:а|е|у|аграм\w*)$|instagram|вк$|vk$|вконтакте|whats?app|в[оа]тс[ао]п\w*|ватс?апп?"
    r"|viber|вайбер|дискорд|discord|фейсбук|facebook|скайп|skype|мессенджер|соцсет"
)
_EMAIL: Final = re.compile(
    r"[\w+-]\s{0,2}(?:@|[(\[]\s?(?:at|собак\w{0,2}|эт)\s?[)\]]|\s(?:собака|собачка|at)\s)\s{0,2}[\w-]{1,63}\s{0,2}"
    rf"(?:\.|{_DOT}|{_BRACKETED_DOT})\s{{0,2}}[a-zа-яәіїқ]{{2}}"
)


def has_link(draft: ReadableText) -> bool:
    """QR codes that the product's name has are no link."""
    found = _LINK.search(draft.lower) or _WORDLIKE_LINK.search(draft.plain) or _SMALL_AFTER_DOT.search(draft.plain)
    if found and not ("qr" in found[0] and "qr" in draft.product_words):
        return True
    return any(map(_sends_to_messenger, draft.sentences))


def has_email(draft: ReadableText) -> bool:
    return _EMAIL.search(draft.lower) is not None


def _sends_to_messenger(sentence: tuple[str, ...]) -> bool:
    """A messenger that is only mentioned is none to write to."""
    return any(map(_MESSENGER.match, sentence)) and any(map(_CONTACT.match, sentence))
