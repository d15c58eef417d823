"""Markup that a marketplace shows as it is: HTML, Markdown, JSON, and placeholders that nobody has filled in."""

# the texts are in Russian

import re
from typing import Final

from service.advice.checks.readable_text import ReadableText

_NAMED: Final = (
    "имя|название|фамилия|дата|номер|магазин|продавец|бренд|товар|ссылка|подпись|name|shop|store|seller|date"
)
_OWNERS: Final = "клиента|покупателя|магазина|продавца|компании|товара|бренда|заказа"
_MARKUP: Final = re.compile(
    r"</?[^\W\d_][^<>\n]{0,200}>|<!--|<!\[?[a-z]"  # HTML
    r"|&(?:[a-z]{2,8}|\#[0-9]{1,7}|\#x[0-9a-f]{1,6});"
    r"|[`{}]"  # code, JSON, templates
    r"|\[[^\]\n]{1,160}\]|\]\s?\("  # [Имя], links and images of Markdown
    r"|\*\*|__|~~"
    r"|(?<![\w*])[*_][^\W_][^*_\n]{0,80}[*_](?![\w*])"
    r"|^[ \t]{0,3}(?:\#{1,6}[ \t]|>[ \t]?\S|[*+][ \t]{1,3}\S|\|.{0,80}\|)"
    r"|^[ \t]{0,3}(?:-{3}|={3})"
    r"|\\[nrtux\"/]"
    rf"|[(%$](?:(?:ваше|your|вставьте|укажите|insert)\s)?(?:{_NAMED})(?:[ _](?:{_OWNERS}))?[)%$]"
    rf"|«(?:{_NAMED})[ _](?:{_OWNERS})»"
    r"|[^\W\d_]{2,20}_[^\W\d_]{2,20}",
    re.MULTILINE | re.IGNORECASE,
)


def has_markup(draft: ReadableText) -> bool:
    """Also markup of full-width signs."""
    return any(map(_MARKUP.search, (draft.raw, draft.plain)))
