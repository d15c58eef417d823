"""A dirty flag: the instruments set it with each measurement, and a reader tests and clears it."""


class ChangeFlag:
    """Instruments set `is_set` directly, since a method call would cost too much there."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False

    def test_and_clear(self) -> bool:
        """Clear the flag. Returns whether it was set."""
        was_set, self.is_set = self.is_set, False
        return was_set
