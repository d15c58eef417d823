"""Usage: how much there is of something, and how much of it is used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """In bytes, or inodes."""

    used: int
    total: int

    @property
    def free(self) -> int:
        return max(0, self.total - self.used)

    @property
    def share(self) -> float:
        return self.used / self.total if self.total else 0.0

    @property
    def percent(self) -> int:
        """Rounded up, as `df` does: so the figure that is shown is over a threshold exactly when the share is."""
        return -(-100 * self.used // self.total) if self.total else 0

    def is_over(self, threshold: int) -> bool:
        """Full is over every threshold, 100 % included."""
        return self.percent > threshold or self.percent >= 100  # noqa: PLR2004  # percent
