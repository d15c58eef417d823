"""Texts that are made to be slow to redact: parts of the patterns, again and again."""

from typing import Final

_PEM: Final = "-----BEGIN PRIVATE KEY-----"
_SECRET: Final = "a1B2" * 8

UNITS: Final = (
    *("://", "://a:b@", "http://a:b@", "https://a:b/", "://:", "@", "a@", ":///", "://" * 60 + " @", "://a b@"),
    *("-----", "-----BEGIN ", _PEM, "-----BEGIN " + "P" * 40, f"{_PEM}-----END "),
    *("eyJ", "eyJeyJeyJeyJeyJ.", f"eyJ{_SECRET}.", "sk-", "sk-a1", f" sk-{_SECRET}", "sk-*"),
    *("gh", "ghp_", f" ghp_{_SECRET}", "github_pat_", "glpat-", "glsa_", "glc_=", "xoxb-", " AKIA", " AIza"),
    *("bearer", "Bearer ", "Bearer   ", "bearer a1b2c3d4 ", "basic", "basic aaaaaaaaaaaa "),
    *("pass", "pwd", "secret", "token", "api", "access", "private", "encryption", "authorization", "credential"),
    *(
        "cookie",
        "signature",
        "session",
        "apikey",
        "secretkey",
        "tokentoken=",
        "token ",
        "token:   ",
        "token , ",
        'token , "',
    ),
    *(
        "pwd=a ",
        "pwd:a,",
        "token: expired ",
        "token: Bearer ",
        'token="',
        "token='a' ",
        'token=\\"',
        'token="\\',
        "token=b'",
    ),
    *(
        "token=\"'\n",
        'token="' + "a" * 40,
        "\n    token=a",
        'File "x"\n    token: a',
        "key=",
        "session-id=",
        "proxy-authorization: a ",
    ),
    *("?", "&", "?a", "?a=", "?key=a&", "&a=b", "?a=1&b=2", f"?a={_SECRET}", "?" + "a" * 63, "?state='"),
    *("1", ":AA", "123456:AA", "1234567:" + _SECRET, "/bot", "/bot1:a ", "%3AAA", "123456%3aAA"),
    *(
        "Failing row contains (",
        "Failing row contains (\n",
        "Key (",
        "Key (a",
        "Key (a)=(",
        "Key (a)=(b) ",
        ")=(",
        "Key (a(b)",
    ),
    *("[SQL: ", "[SQL: '", "[SQL: 1,1,1,1]\n", "LINE 1: ", "\nLINE 1: 'a'", "]", "\n[", "[SQL: $a$"),
    *("'", "''", '"', '""', "$", "$a$", "$$", "1,", "a1", "'a',", "1.5e3 ", "e'", "1e"),
    *("4", "4111", "4111 ", "4111 1111 1111 1111 ", "4111 1111 1111 1112 ", "4111111111111111 ", "4111%20", "4111-"),
    *(" ", "\n", "\\", "a", "\u0130", "\u0444\u044b ", "%41", "=", "|", "\x00"),
)
"""Each is repeated up to the length that is wanted."""


def repeated(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]
