"""Queries for plots and tables of figures: sums over a window, and over time. SQLite adds, outside of Python's lock."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from telemetry.recent.database import RecentDatabase
from telemetry.recent.points import reading
from telemetry.recent.points.percentiles import STANDARD
from telemetry.recent.points.plotted import PLOTTED, Plotted
from telemetry.recent.points.results import SeriesPoints, SeriesTotal
from telemetry.recent.points.stored_series import SAMPLES, Match, Stored, StoredSeries

__all__ = ["PointQueries", "SeriesPoints", "SeriesTotal"]

ANY: Final[Match] = {}


class PointQueries:
    """For any thread. A family is called as on `/metrics`, and so are its labels.

    Sums over all routes are without the console's own requests, unless their endpoints are asked for.
    Every method raises sqlite3.Error or OSError if `recent.db` cannot be read now. Nothing is found of a family that is not kept.
    """

    def __init__(self, database: RecentDatabase, plotted: Sequence[Plotted] = PLOTTED) -> None:
        self._database = database
        self._plotted = {each.family: each for each in plotted}
        self._series = StoredSeries()

    def newest_sample(self) -> float | None:
        """When the newest interval that was sampled ends, in Unix seconds; None before the first one."""
        with self._database.reading() as connection:
            return reading.newest_sample(connection)

    def sampled_seconds(self, since: float, until: float) -> float:
        """How many seconds of a window there are samples of; less than its length if the service was down, or is new."""
        with self._database.reading() as connection:
            rows = reading.rows_of_window(connection, SAMPLES, since, until, reading.VALUE)
        return sum(seconds for _place, seconds in rows)

    def totals(  # noqa: PLR0913  # what is asked for has this many sides
        self,
        family: str,
        since: float,
        until: float,
        by: Sequence[str] = (),
        *,
        match: Match = ANY,
        has_buckets: bool = False,
    ) -> list[SeriesTotal]:
        """What was counted in a window, the largest number first.

        Args:
            family: such as `http_request_duration_seconds`.
            since: Unix seconds; rounded down to the shortest interval that is still kept from then.
            until: Unix seconds.
            by: the labels to tell apart; the others are added.
            match: only series with these labels; of several values one.
            has_buckets: read a histogram's buckets, too, which takes several times as long.
        """
        with self._database.reading() as connection:
            stored = self._stored(connection, family, by, match)
            columns = reading.HISTOGRAMS if has_buckets else reading.AMOUNTS
            rows = reading.rows_of_window(connection, stored, since, until, columns)
        return sorted(reading.merged(rows, stored), key=lambda total: -total.value)

    def over_time(  # noqa: PLR0913  # likewise
        self,
        family: str,
        since: float,
        until: float,
        step: int,
        *,
        match: Match = ANY,
        by: Sequence[str] = (),
    ) -> list[SeriesPoints]:
        """What was counted in each step of a window, by labels. Nothing is left out between the first and the last step.

        Args:
            family: such as `http_request_duration_seconds`.
            since: Unix seconds; rounded down to a step.
            until: Unix seconds; rounded up to a step.
            step: seconds: 10, 60, 300, 1800, 10800, 86400 or a multiple of one.
            match: only series with these labels; of several values one.
            by: the labels to tell apart; the others are added.
        """
        with self._database.reading() as connection:
            stored = self._stored(connection, family, by, match)
            grid = reading.grid_of(connection, since, until, step)
            rows = reading.rows_over_time(connection, stored, grid, reading.VALUE)
        found: dict[tuple[str, ...], dict[int, float]] = {}
        for place, at, value in rows:
            values = found.setdefault(stored.groups[int(place)][:-1], {})
            values[int(at)] = values.get(int(at), 0) + value
        return [reading.points_of(dict(zip(by, key, strict=True)), grid, found[key]) for key in sorted(found)]

    def percentiles_over_time(  # noqa: PLR0913  # likewise
        self,
        family: str,
        since: float,
        until: float,
        step: int,
        *,
        match: Match = ANY,
        which: Sequence[float] = STANDARD,
    ) -> list[SeriesPoints]:
        """The percentiles of a histogram in each step, one series for each, with the label `percentile` (`p50`).

        None where there was nothing to measure.
        """
        with self._database.reading() as connection:
            stored = self._stored(connection, family, (), match)
            grid = reading.grid_of(connection, since, until, step)
            rows = reading.rows_over_time(connection, stored, grid, reading.HISTOGRAMS)
        by_step: dict[int, list[tuple[float, ...]]] = {}
        for place, at, *amount in rows:
            by_step.setdefault(int(at), []).append((place, *amount))
        found = {at: reading.merged(each, stored)[0].percentiles(which) for at, each in by_step.items()}
        nothing: list[float | None] = [None] * len(which)
        return [
            SeriesPoints(
                {"percentile": f"p{each:g}"},
                grid.times,
                tuple(found.get(at, nothing)[place] for at in grid.times),
                grid.step,
                grid.seconds,
            )
            for place, each in enumerate(which)
        ]

    def _stored(self, connection: sqlite3.Connection, family: str, by: Sequence[str], match: Match) -> Stored:
        """The series, from the stored family that has these labels and the fewest series."""
        plotted = self._plotted.get(family, Plotted(family))
        return self._series.find(connection, plotted.stored_for((*by, *match)), by, match)
