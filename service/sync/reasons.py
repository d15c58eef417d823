"""Counts reasons of failures, and names the commonest in one line."""

from collections import Counter
from typing import Final

SHOWN: Final = 3
MAX_LENGTH: Final = 120
MAX_REASONS: Final = 100


def add_reason(reasons: Counter[str], reason: str) -> None:
    """Count a reason. Their number is limited, since a reason may name a value; those beyond it are one."""
    reason = reason.strip().rstrip(".")[:MAX_LENGTH]
    reasons[reason if reason in reasons or len(reasons) < MAX_REASONS else "other reasons"] += 1


def commonest(reasons: Counter[str]) -> str:
    """The commonest reasons, each with its number."""
    shown = [f"{number} × {reason}" for reason, number in reasons.most_common(SHOWN)]
    left = reasons.total() - sum(number for _, number in reasons.most_common(SHOWN))
    return "; ".join([*shown, f"{left} × others"] if left else shown)
