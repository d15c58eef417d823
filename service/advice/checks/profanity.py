"""Swearing and insults, also with masked letters."""

# ruff: noqa: RUF001  # the texts are in Russian

import re
from typing import Final

from service.advice.checks.readable_text import ReadableText

_PREFIX: Final = r"(?:на|по|а|о|об|за|до|ни|не|от|ото|вы|у|при|про|пере|рас|долбо|мудо|архи)?"
_STEMS: Final = (
    rf"{_PREFIX}ху(?:й|е|и|я|ю|ли$)",
    rf"{_PREFIX}пизд",
    r"(?:на|по|за|до|вы|у|про|пере|разъ?|отъ?|съ|въ|объ?|долбо|недо)?еб(?:$|а|л|у(?!рг)|и|н|ен|ыв|ешь|ет|к|т|щ|ы)",
    r"бля(?:$|т|д)", r"муда(?:к|ч)", r"мудил", r"сук(?:а|и|у|ой|ин)$", r"говн", r"жоп", r"дерьм", r"залуп", r"пид[оа]р",
    r"педик[аиу]?$", r"шлюх", r"г[ао]ндон", r"ублюд", r"дебил", r"идиот", r"кретин", r"мраз(?:ь|и|ей|ям)$",
    r"твар(?:ь|и|ей|ям)$", r"херн[яеию]", r"хер(?:а|у|ом|ово|овый|овая|овое)?$", r"срать", r"насра", r"обосра", r"чмо$",
    r"шалав", r"урод(?:ы|а|ам|ов|ина)?$", r"дур(?:ак|аки|а|ы|у|ой|ачье)$", r"лох(?:и|ам|ов)?$", r"тупиц", r"ничтожеств",
    r"сдохни",
    r"fuck", r"motherf", r"(?:bull)?shit(?!ak)", r"bitch", r"asshole", r"cunt", r"bastard", r"idiot", r"moron", r"dumbass",
    r"whore", r"slut", r"nigg(?:a|er)", r"faggot", r"blya[dt]?$", r"suka$", r"pizd", r"na?hu[iy]$", r"mudak",
)  # fmt: skip
_SWEARING: Final = re.compile("|".join(f"(?:{stem})" for stem in _STEMS))
_MASKED: Final = re.compile(
    r"(?<![^\W\d_])[^\W\d_]{1,3}[*]{1,4}[^\W\d_]{1,4}(?![^\W\d_])|(?<!\w)(?:на)?х[.\-_*#]{1,3}[йяе](?!\w)"
)


def has_profanity(draft: ReadableText) -> bool:
    """Words of the product's name are no swearing."""
    if _MASKED.search(draft.lower):
        return True
    words = {word for sentence in draft.sentences for word in sentence} - draft.product_words
    return any(map(_SWEARING.match, words))
