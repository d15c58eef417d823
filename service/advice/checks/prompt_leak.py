"""The prompt's own words, what a model says about itself, and encoded text."""

# the texts are in Russian

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from service.advice.checks.readable_text import ReadableText, words_of

_MODEL: Final = r"(?:языков\w{2} модел\w{1,2}|нейросет\w{1,3}|искусственн\w{2,3} интеллект\w{0,2}|ии|чат-?бот\w{0,2}|ии-?ассистент\w?|llm|gpt|ai|language model)"
_SELF: Final = re.compile(
    rf"(?<!\w)(?:как|я|я просто|являюсь|меня зовут|as an?|i am an?|i m an?)\W{{1,3}}(?:\w{{1,15}}\W){{0,2}}?{_MODEL}(?!\w)"
    r"|chat-?gpt|openai|(?<!\w)gpt-?\d|(?<!\w)(?:system|developer) (?:prompt|message|instruction)|системн\w{2,3} (?:промпт|подсказк|инструкц|сообщени)"
    r"|(?<!\w)(?:промпт|prompt)\w{0,3}(?!\w)|jailbreak|джейлбрейк|(?<!\w)(?:developer|dan|god) mode(?!\w)"
    r"|(?:мои|моих|моим|моими|мне (?:дан\w|запрещен\w)) (?:правил|инструкци|указани|ограничени)\w{0,3}|(?<!\w)my (?:instructions|guidelines|rules)"
    r"|(?:предыдущ|прежн|прошл)\w{2,3} (?:инструкци|указани|правил)|(?:previous|prior|above) (?:instructions|directions|rules)"
    r"|(?<!\w)(?:игнориру\w{1,3}|забудь|ignore|disregard) (?:все |all )?(?:инструкци|правил|указани|instruction|rules|previous)"
    r"|правила ответа|вот (?:мои )?инструкции|мне (?:поручен|велен|предписан)\w? |(?<!\w)<?/?отзыв>|тестовый режим|режим разработчика"
)
_ENCODED: Final = re.compile(
    r"(?<![\w+/=-])[a-z\d+/=_-]{24,}|(?<!\w)(?:\\?[ux]?[0-9a-f]{2}[\s:,]?){16,}(?!\w)", re.IGNORECASE
)
_MIN_MIXTURE: Final = 3
_SHARED_WORDS: Final = 5
"""As many words in a row are shared with the instructions by no answer that does not repeat them."""


def repeats_prompt(draft: ReadableText) -> bool:
    if _SELF.search(draft.lower) or any(_is_encoded(found[0]) for found in _ENCODED.finditer(draft.plain)):
        return True
    words = [word for sentence in draft.sentences for word in sentence]
    return not _phrases(words).isdisjoint(_instruction_phrases(draft.instructions))


@lru_cache(maxsize=4)
def _instruction_phrases(instructions: str) -> frozenset[tuple[str, ...]]:
    return _phrases(words_of(instructions))


def _phrases(words: Sequence[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(*(words[start:] for start in range(_SHARED_WORDS)), strict=False))


def _is_encoded(token: str) -> bool:
    """Letters of both sizes and digits mixed, as no word is; or bytes as numbers."""
    kinds = any(map(str.isupper, token)), any(map(str.islower, token)), any(map(str.isdigit, token))
    return (
        sum(kinds) >= _MIN_MIXTURE
        or token.endswith("=")
        or not any(c.isalpha() and c not in "abcdefABCDEFx" for c in token)
    )
