"""Tables of measurements as aligned plain text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NOT_MEASURED = "-"
_GAP = "  "


@dataclass
class Table:
    """The first column is text, the others are numbers. A row that is shorter than the headers contains an error."""

    title: str
    headers: Sequence[str]
    note: str = ""
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        self.rows.append(cells)

    def fail(self, name: str, error: Exception) -> None:
        self.rows.append((name, f"failed: {error}"))

    def __str__(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        widths = self._widths()
        yield self.title
        yield "-" * len(self.title)
        yield _line(self.headers, widths)
        for row in self.rows:
            yield _line(row, widths)
        if self.note:
            yield f"({self.note})"

    def _widths(self) -> list[int]:
        complete = [row for row in self.rows if len(row) == len(self.headers)]
        first = max(len(row[0]) for row in [self.headers, *self.rows])
        return [first, *(max(len(row[i]) for row in [self.headers, *complete]) for i in range(1, len(self.headers)))]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    if len(row) < len(widths):
        return row[0].ljust(widths[0]) + _GAP + _GAP.join(row[1:])
    return _GAP.join(
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    )
