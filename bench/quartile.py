"""Reduces many rounds on a shared machine to one number."""

from collections.abc import Iterable
from statistics import quantiles


def lower_quartile(values: Iterable[float]) -> float:
    """The first quartile: the cost on a nearly idle machine, less sensitive to luck than the minimum."""
    return quantiles(values, n=4)[0]
