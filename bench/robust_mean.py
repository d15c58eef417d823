"""Figures: many rounds on a machine that others use, too, become one number."""

from collections.abc import Iterable
from statistics import quantiles


def undisturbed(values: Iterable[float]) -> float:
    """The first quartile: what it takes when little else goes on, without being the luckiest round of all."""
    return quantiles(values, n=4)[0]
