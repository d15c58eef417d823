"""Describes an SQL statement as OpenTelemetry's semantic conventions do: `db.operation.name`, `db.query.summary`, its tables.

It reads words, not grammar: a statement that it does not understand has a shorter description, and never a literal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final

_MAX_LENGTH: Final = 64 * 1024  # characters; the rest of a statement is ignored
_MAX_TOKENS: Final = 2000  # as is what follows them
_MAX_CACHED_LENGTH: Final = 4000
_MAX_SUMMARY_LENGTH: Final = 255  # of the semantic conventions
_WITH: Final = "WITH"
_SELECT: Final = "SELECT"
_QUERIES: Final = frozenset({_SELECT, "INSERT", "UPDATE", "DELETE", "MERGE"})
_DEFINITIONS: Final = frozenset({"ALTER", "CREATE", "DROP", "TRUNCATE"})
_FIRST_ONLY: Final = _DEFINITIONS | {"REPLACE"}
"""Operations only at the beginning of a statement: elsewhere they are clauses, or functions."""
_COMMANDS: Final = _FIRST_ONLY | frozenset(
    {
        *("ANALYZE", "ATTACH", "BEGIN", "CALL", "COMMIT", "COPY", "DETACH", "EXECUTE", "EXPLAIN", "FETCH", "GRANT"),
        *("LISTEN", "LOCK", "NOTIFY", "PRAGMA", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE"),
        *("ROLLBACK", "SAVEPOINT", "SET", "SHOW", "UNLISTEN", "VACUUM", "VALUES"),
    }
)
_NO_OPERATION_AFTER: Final = frozenset(
    {"DO", "FOR", "KEY", "ON", "THEN"}
)  # ON CONFLICT DO UPDATE, FOR UPDATE, ON DELETE
_INTO: Final = frozenset({"INSERT", "MERGE", "REPLACE"})
_USING: Final = frozenset({"DELETE", "MERGE"})
_END_OF_SOURCES: Final = frozenset(
    {"GROUP", "HAVING", "LIMIT", "ORDER", "RETURNING", "SET", "UNION", "VALUES", "WHERE", "WINDOW"}
)
_BEFORE_A_TABLE: Final = frozenset({"EXISTS", "IF", "LATERAL", "NOT", "ONLY", "OR", "TABLE"})
_PART: Final = r'(?:"[^"]*+(?:""[^"]*+)*+"|`[^`]*+`|\[[^\[\]]*+\]|[^\W\d][\w$]*+)'
_TOKEN: Final = re.compile(
    rf"""
      --[^\n]*+ | (?P<comment>/\*)
    | \b[Ee]'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+(?:'|\Z)                    # with backslashes
    | '[^']*+(?:''[^']*+)*+(?:'|\Z) | (?P<tag>\$(?:[^\W\d]\w*+)?\$).*?(?:(?P=tag)|\Z)
    | %\([^()]*+\)s | :\w++                                              # placeholders
    | (?P<name>{_PART}(?:\.{_PART})*+)(?P<call>\s*+\()?
    | (?P<sign>[(),])
    """,
    re.VERBOSE | re.DOTALL,
)
_CTE_NAME: Final = r'(?<![\w$])(?:"[^"]*+"|`[^`]*+`|\[[^\[\]]*+\]|[^\W\d][\w$]*+)'
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")
_CTE: Final = re.compile(
    rf"({_CTE_NAME})\s*+(?:\([^()]*+\)\s*+)?\bAS\s++(?:NOT\s++)?(?:MATERIALIZED\s*+)?\(", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """What a statement does.

    Attributes:
        operation: the command, in capitals; after WITH that of the main statement; None if it is none that is known.
        summary: the operations and their tables in the order of the text, such as `SELECT orders`; may be empty.
        table: the table, if there is only one.
    """

    operation: str | None
    summary: str
    table: str | None


def describe_statement(statement: str) -> SqlStatement:
    """Describe a statement. The descriptions of the newest statements are cached."""
    return _cached(statement) if len(statement) <= _MAX_CACHED_LENGTH else _describe(statement[:_MAX_LENGTH])


@lru_cache(maxsize=1024)
def _cached(statement: str) -> SqlStatement:
    return _describe(statement)


def _describe(statement: str) -> SqlStatement:
    reader = _Reader(ctes=_cte_names(statement))
    for name, call, sign in islice(_tokens(statement), _MAX_TOKENS):
        if name:
            reader.read_name(name, is_call=call)
        if sign or call:
            reader.read_sign(sign or "(")
    tables = set(reader.tables)
    return SqlStatement(reader.operation(), reader.summary(), tables.pop() if len(tables) == 1 else None)


def _tokens(statement: str) -> Iterator[tuple[str | None, bool, str | None]]:
    position, nests = 0, True
    while match := _TOKEN.search(statement, position):
        position = match.end()
        if match["comment"]:
            position, nests = _end_of_comment(statement, position, nests=nests)
        elif match["name"] or match["sign"]:
            yield match["name"], bool(match["call"]), match["sign"]


def _end_of_comment(statement: str, begin: int, *, nests: bool) -> tuple[int, bool]:
    """Comments of PostgreSQL have comments in them, those of SQLite have not: where one would have no end, none has."""
    depth, position = 1, begin
    while nests and (mark := _COMMENT_MARK.search(statement, position)):
        depth, position = depth + (1 if mark[0] == "/*" else -1), mark.end()
        if not depth:
            return position, True
    end = statement.find("*/", begin)
    return (len(statement) if end < 0 else end + 2), False


def _cte_names(statement: str) -> frozenset[str]:
    return (
        frozenset(_unquoted(name) for name in _CTE.findall(statement)) if "WITH" in statement.upper() else frozenset()
    )


def _unquoted(name: str) -> str:
    """Without quotes, unless a part of the name has a space."""
    return name if " " in name else name.translate({ord(quote): None for quote in '"`[]'})


@dataclass(slots=True)
class _Level:
    """One pair of parentheses: the operation in it, and whether its list of sources (FROM a, b) goes on."""

    operation: str = ""
    is_in_sources: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads the words of a statement, one after the other.

    Attributes:
        expects: what the next name is: a `table`, a `source` (a table, or a function that returns rows), or nothing ("").
    """

    ctes: frozenset[str]
    parts: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    operations: list[tuple[int, str]] = field(default_factory=list)
    levels: list[_Level] = field(default_factory=lambda: [_Level()])
    first: str = ""
    previous: str = ""
    expects: str = ""

    def read_sign(self, sign: str) -> None:
        if sign == "(":
            self.levels.append(_Level())
            return
        if sign == ")":
            self.levels.pop()
            self.levels = self.levels or [_Level()]
        self.expects = "source" if sign == "," and self.levels[-1].is_in_sources else ""

    def read_name(self, name: str, *, is_call: bool) -> None:
        word = name.upper()
        self.first = self.first or word
        if not (self._is_operation(word) or self._is_clause(word)) and self.expects and word not in _BEFORE_A_TABLE:
            self._read_table(_unquoted(name), is_function=is_call and self.expects == "source")
        self.previous = word

    def _is_operation(self, word: str) -> bool:
        is_first = word in _FIRST_ONLY and not self.previous
        if not is_first and (word not in _QUERIES or self.previous in _NO_OPERATION_AFTER):
            return False
        self.operations.append((len(self.levels), word))
        self.parts.append(word)
        self.levels[-1] = _Level(word)
        self.expects = "table" if word in {"UPDATE", "TRUNCATE"} else ""
        return True

    def _is_clause(self, word: str) -> bool:
        level = self.levels[-1]
        if word in _END_OF_SOURCES:
            level.is_in_sources, self.expects = False, ""
        elif word == "JOIN" or (word == "FROM" and level.operation in _QUERIES and self.previous != "DISTINCT"):
            level.is_in_sources, self.expects = word == "JOIN" or level.operation != "DELETE", "source"
        elif (word == "INTO" and level.operation in _INTO) or (word == "USING" and level.operation in _USING):
            self.expects = "table"
        elif word == "TABLE" and level.operation in _DEFINITIONS:
            self.parts.append(word)
            self.expects = "table"
        else:
            return False
        return True

    def _read_table(self, name: str, *, is_function: bool) -> None:
        self.expects = ""
        if not is_function and name not in self.ctes:
            self.parts.append(name)
            self.tables.append(name)

    def operation(self) -> str | None:
        if self.first in _QUERIES or self.first == _WITH:
            return min(self.operations, key=lambda each: each[0])[1] if self.operations else _SELECT
        return self.first if self.first in _COMMANDS else None

    def summary(self) -> str:
        """Whole words only."""
        if self.first not in _QUERIES | _FIRST_ONLY | {_WITH}:
            return self.first if self.first in _COMMANDS else ""
        text = " ".join(self.parts)
        return text if len(text) <= _MAX_SUMMARY_LENGTH else text[: _MAX_SUMMARY_LENGTH + 1].rpartition(" ")[0]
