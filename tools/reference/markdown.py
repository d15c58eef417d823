"""Markdown: tables, and texts that are safe in them."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing without rows."""
    lines = [_row([cell.replace("|", "&#124;").replace("\n", " ") or "-" for cell in cells]) for cells in rows]
    return "\n".join([_row(columns), _row(["---"] * len(columns)), *lines]) if lines else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def code(text: object) -> str:
    """Text in backticks; nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def codes(texts: Iterable[object]) -> str:
    """A list of texts, each in backticks."""
    return ", ".join(code(text) for text in texts)


def sentence(text: str) -> str:
    """Begin with a capital letter, and end with a full stop."""
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")
