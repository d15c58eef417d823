"""Promises of money, discounts and gifts, and rewards for a changed review.

That a buyer may ask the marketplace for a return is no promise: what counts is who gives. So a word for a benefit alone
is innocent, and one beside a verb of giving in the first person is not.
"""

# ruff: noqa: RUF001  # the texts are in Russian

import re
from collections.abc import Sequence
from typing import Final

from service.advice.checks.readable_text import ReadableText

_GIVE: Final = (
    r"верн(?:ем|у|ут|утся|ется)|возвра(?:щаем|щу|тим)|возмест(?:им|ит|ят)|возмещ(?:аем|у)|компенсиру\w{1,3}|скомпенсиру\w{1,3}"
    r"|перевед(?:ем|у|ут)|переводим|перечисл(?:им|ю|яем|ят)|выплат(?:им|ят)|выплачиваем|начисл(?:им|ю|яем|ят)|отблагодарим"
    r"|вознаградим|подар(?:им|ю|ят)|дар(?:им|ю|ят)|вышл(?:ем|ю|ют)|высылаем|отправ(?:им|лю|ляем)|пришл(?:ем|ю|ют)|присылаем"
    r"|полож(?:им|у)|влож(?:им|у)|добав(?:им|лю)|выда(?:дим|ем)|предостав(?:им|ляем|лю|ят)|предлож(?:им|у)|предлага(?:ем|ю|ется)"
    r"|сдела(?:ем|ю)|да(?:дим|ем|м)|гарантиру(?:ем|ю)|обеща(?:ем|ю)|получ(?:ите|ишь|аете)|оформ(?:им|лю|ляем)|одобр(?:им|ю|яем)"
    r"|произвед(?:ем|ут)|осуществим|организуем|скинем|закинем|зачислим|ждет|гарантирован\w{0,2}|действует|активируйте|воспользуйтесь"
    r"|используйте|введите|примените|доплатим|оплатим|заплатим|удво(?:им|ю)|забирайте|примите|возьмите|держите|дарится"
)
_GIVE_INFINITIVE: Final = (
    r"вернуть|возвратить|возместить|компенсировать|перевести|перечислить|выплатить|начислить|подарить|выслать|отправить|прислать"
    r"|предоставить|предложить|дать|сделать|оформить|одобрить|выдать"
    r"|(?:возвра|возме)щен\w?|компенсирован\w?|выплачен\w?|(?:пере|за|на)числен\w?|переведен\w?"
)
_READY: Final = r"готов\w?|можем|могу|сможем|смогу|хотим|хочу|хотели|рады|рад|будем|будут|будет|намерены|обязуемся|обязуюсь|обещаем|обещаю|гарантируем"
_GIVE_ENGLISH: Final = r"refund|offer|offering|give|send|issue|provide|compensate|reimburse|credit|get|receive|claim|transfer|pay|reward|here"
_NOT: Final = r"не|нельзя|нет|ни|not|cannot|never|unable|no"
_MONEY: Final = r"день?г\w{0,4}|денежн\w+|средств\w?|стоимост\w{1,2}|сумм\w{1,2}|руб\w{0,4}|тысяч\w{0,2}|доллар\w{0,3}|евро|тенге|оплат[уы]|половину|расход\w{1,2}|затрат\w{0,2}|убытк\w{1,2}|money|rubles?|dollars?"
_REFUND: Final = r"возврат\w{0,2}|возмещени\w{1,2}|компенсаци\w{1,2}|выплат\w|вознаграждени\w{1,2}|refund|compensation|reimbursement|reward|money"
_DISCOUNT: Final = r"скид(?:к\w{1,3}|очк\w{1,3}|ок|он\w{0,2})|уценк\w|discounts?|off"
_POINTS: Final = r"бонус\w{0,3}|баллов|баллы|балла|кэшб[еэ]к\w{0,2}|кешб[еэ]к\w{0,2}|cashback|bonus|bonuses|points"
_GIFT: Final = r"подар(?:ок|ка|ку|ком|ки|ков|очек)|презент\w{0,2}|сюрприз\w{0,2}|приз\w{0,2}|сертификат\w{0,2}|комплимент\w{0,2}|gifts?|present|certificate|free"
_REPLACEMENT: Final = r"замен[уы]|взамен|экземпляр\w{0,2}|бесплатн\w{1,2}|replacement"
_CODE: Final = r"промокод\w{0,3}|купон\w{0,3}|ваучер\w{0,3}|promocodes?|coupons?|vouchers?"
_BENEFIT: Final = re.compile(rf"(?:{_MONEY}|{_REFUND}|{_DISCOUNT}|{_POINTS}|{_GIFT}|{_CODE})$")
_VERB: Final = re.compile(rf"(?:{_GIVE})$")
_INFINITIVE: Final = re.compile(rf"(?:{_GIVE_INFINITIVE})$")
_WILLING: Final = re.compile(rf"(?:{_READY})$")
_ENGLISH_VERB: Final = re.compile(rf"(?:{_GIVE_ENGLISH})$")
_ENGLISH_GIVER: Final = re.compile(r"(?:we|i|ll|will|here|happy|glad|to|please|your)$")
_NEGATION: Final = re.compile(rf"(?:{_NOT})$")
_NO_PAYMENT: Final = re.compile(r"сдела|организу|действует|использ|введите|воспольз|ждет|ждем|да(?:дим|ем|м)$")
_PAID: Final = re.compile(rf"(?:{_MONEY})$")
_REFUNDED: Final = re.compile(rf"(?:{_REFUND})$")
_REDUCED: Final = re.compile(rf"(?:{_DISCOUNT}|{_POINTS}|{_CODE})$")
_GIVEN: Final = re.compile(rf"(?:{_GIFT}|{_REPLACEMENT})$")
_DISTANCE: Final = 5
"""Words between a verb and its benefit, at most."""
_CODE_WORD: Final = re.compile(rf"(?:{_CODE}|промо)$")
_SORRY: Final = re.compile(r"жаль$|сожале\w+$|извин\w+$|sorry$")
_FAILED: Final = re.compile(r"(?:не)?(?:сработа|примен|прош|подош|принял|принят|действ|работа|appl|work)")
_CODE_ITSELF: Final = re.compile(r"[a-z]*\d")
_PERCENT: Final = re.compile(
    r"скидк\w{1,3}\W{1,3}(?:в|до|на|размером|от)?\W{0,3}\d{1,3}\s?(?:%|процент|руб|₽)|(?<!\d)\d{1,3}\s?(?:%|процент\w{0,2})\W{1,3}(?:скидк|на следующ|off|discount|кэшб|кешб)"
    r"|(?<!\w)(?:ваша|вам|нас|личная|персональн\w{2}|дополнительн\w{2}|наша)\s(?:\w{1,15}\s)?скидк\w"
    r"|скидк\w{1,3}\s(?:на\s)?(?:следующ|ваш|втор|нов\w{2}\sзаказ|перв)"
    r"|(?<!\w)(?:с нас|за наш счет|от нас|от магазина)\W{1,3}(?:\w{1,15}\W){0,3}?(?:подар|бонус|презент|сюрприз|приз|скидк|компенс)"
    r"|(?<!\w)(?:подар|бонус|презент|приз|скидк|деньг|рубл|балл|кэшб|кешб|вознагражд)\w{0,4}\W{1,3}(?:\w{1,15}\W{1,3}){0,3}(?:за|в обмен на)\s(?:\w{1,15}\s)?(?:отзыв|оценк|пять|5|удалени|изменени|исправлени)"
    r"|(?<!\w)в подарок от (?:нас|магазин|бренд|продавц)|promo\W?code|(?<!\w)buy one get"
)
_GIFT_OF_THINGS: Final = re.compile(r"(?:подарим|подарю|дарим)$")
_FEELINGS: Final = re.compile(
    r"настроени|радост|эмоци|улыб|тепл|вдохновен|уют|красот|комфорт|удовольств|впечатлен|счаст|заботу?|любовь|внимани|надежд|здоров"
)
_CHANGE: Final = re.compile(
    r"(?:измен|исправ|удал|повыс|скоррект|отредакт|обнов|замен|поменя|дополн|смен)\w{0,6}(?:те|ть|ни[еюя]|ну)$"
    r"|уберите$|убрать$|перепишите$|переписать$|постав(?:ите|ьте)$|change$|edit$|update$|delete$|remove$"
)
_REVIEW: Final = re.compile(r"(?:отзыв|оценк|звезд|коммент)\w{0,3}$|review$|rating$|stars$")


def has_promise(draft: ReadableText) -> bool:
    if _PERCENT.search(draft.lower):
        return True
    return any(_promises(sentence) for sentence in draft.sentences)


def _promises(words: Sequence[str]) -> bool:
    verbs = [position for position in range(len(words)) if _gives(words, position)]
    if _gives_things(words, verbs) or _gives_code(words) or _rewards_change(words):
        return True
    payments = [verb for verb in verbs if not _NO_PAYMENT.match(words[verb])]
    if _are_near(words, payments, _PAID, _DISTANCE):
        return True
    return any(_are_near(words, verbs, noun, _DISTANCE) for noun in (_REFUNDED, _REDUCED, _GIVEN))


def _gives(words: Sequence[str], position: int) -> bool:
    """Whether a word is a verb by which the seller gives, and no negated one."""
    word, before = words[position], words[max(0, position - 4) : position]
    if any(map(_NEGATION.match, before[-2:])) and "только" not in before:
        return False
    if _VERB.match(word):
        return True
    if _INFINITIVE.match(word):
        return any(map(_WILLING.match, before)) and not any(map(_NEGATION.match, before))
    return bool(_ENGLISH_VERB.match(word)) and any(map(_ENGLISH_GIVER.match, (*before, word)))


def _are_near(words: Sequence[str], verbs: Sequence[int], noun: re.Pattern[str], distance: int) -> bool:
    nouns = [position for position, word in enumerate(words) if noun.match(word)]
    last = 0
    for verb in verbs:
        while last < len(nouns) and nouns[last] < verb - distance:
            last += 1
        if last < len(nouns) and nouns[last] <= verb + distance:
            return True
    return False


def _gives_things(words: Sequence[str], verbs: Sequence[int]) -> bool:
    """A thing as a gift: `подарим второй чехол`. A good mood is none."""
    gifts = any(_GIFT_OF_THINGS.match(words[verb]) for verb in verbs)
    return gifts and not any(map(_FEELINGS.match, words))


def _gives_code(words: Sequence[str]) -> bool:
    """A code, unless the sentence is about one that did not work."""
    if not any(map(_CODE_WORD.match, words)):
        return False
    is_sorry = any(map(_SORRY.match, words)) and any(map(_FAILED.match, words))
    return not is_sorry or any(map(_CODE_ITSELF.match, words))


def _rewards_change(words: Sequence[str]) -> bool:
    return all(any(map(pattern.match, words)) for pattern in (_CHANGE, _REVIEW, _BENEFIT))
