"""The forms in which libraries show a text: escaped, encoded, in base64, and one inside of another."""

import base64
import html
import json
import re
import shlex
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Final
from urllib.parse import quote, quote_plus

Encode = Callable[[str], str]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_lines_of_base64(text: str) -> str:
    return base64.encodebytes(
        ("before it is more than one line of base64: " + text + " and after it").encode()
    ).decode()


ESCAPES: Final[dict[str, Encode]] = {
    "as it is": str,
    "URL-encoded": lambda text: quote(text, safe=""),
    "as a path": quote,
    "as a form": quote_plus,
    "lower-case": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "HTML": html.escape,
    "HTML of Django": lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
}
QUOTED: Final[dict[str, Encode]] = {
    "shell": shlex.quote,
    "shell, the other way": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "SQL": lambda text: "'" + text.replace("'", "''") + "'",
    "CSV": lambda text: '"' + text.replace('"', '""') + '"',
}
IN_BASE64: Final[dict[str, Encode]] = {
    "base64": _base64,
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 of a pair": lambda text: _base64(f"u:{text}"),
    "base64 in the midst": lambda text: _base64(f"ab:{text}!"),
    "base64 with line breaks": in_lines_of_base64,
    "base64 of MIME": lambda text: in_lines_of_base64(text).replace("\n", "\r\n"),
    "base64 with line breaks in JSON": lambda text: json.dumps(in_lines_of_base64(text))[1:-1],
    "base64 with line breaks in JSON in JSON": lambda text: json.dumps(json.dumps(in_lines_of_base64(text)))[1:-1],
    "base64 in a URL": lambda text: quote(_base64(text), safe=""),
    "base64 in base64": lambda text: _base64(_base64(text)),
}


def _twice(inner: Encode, outer: Encode, text: str) -> str:
    return outer(inner(text))


FORMS: Final[dict[str, Encode]] = {
    f"{first}, {second}": partial(_twice, inner, outer)
    for (first, inner), (second, outer) in product(ESCAPES.items(), (ESCAPES | QUOTED | IN_BASE64).items())
    if not (first == "lower-case" and second in IN_BASE64)
    if not (first != "as it is" and second == "base64 in base64")
}
"""Each form once and inside of each other, but for those that the documentation excepts."""
