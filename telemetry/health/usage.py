"""`Usage`: the used and the total amount of a resource."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Both amounts in bytes, or in inodes."""

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
        """The used percentage, rounded up as `df` does: it exceeds a threshold exactly when the share does."""
        return -(-100 * self.used // self.total) if self.total else 0

    def is_over(self, threshold: int) -> bool:
        """Whether more than `threshold` percent is used; a full resource is over every threshold, even 100."""
        return self.percent > threshold or self.percent >= 100  # noqa: PLR2004  # percent
