"""The windows of time over which the pages show figures."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Window:
    """A window that ends now.

    Attributes:
        key: its name in a URL.
        label: its name on a page.
        seconds: its length.
        step: the interval between two points of a plot, in seconds.
    """

    key: str
    label: str
    seconds: int
    step: int


WINDOWS: Final = (
    Window("15m", "15 min", 900, 10),
    Window("1h", "1 h", 3600, 60),
    Window("6h", "6 h", 21_600, 300),
    Window("24h", "24 h", 86_400, 1800),
    Window("14d", "14 days", 1_209_600, 21_600),
)
DEFAULT_WINDOW: Final = WINDOWS[1]
BY_KEY: Final = {window.key: window for window in WINDOWS}
