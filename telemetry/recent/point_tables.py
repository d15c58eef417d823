"""The tables of the points in `recent.db`, and the statements that add to them."""

from typing import Final

MAX_BUCKETS: Final = 16
"""Histograms with more are joined."""
BUCKET_COLUMNS: Final = tuple(f"b{number}" for number in range(MAX_BUCKETS))
AMOUNT_COLUMNS: Final = ("value", "sum", *BUCKET_COLUMNS)
_AMOUNT: Final = ", ".join(("value REAL NOT NULL", "sum REAL NOT NULL", *(f"{b} INTEGER" for b in BUCKET_COLUMNS)))
SAMPLED: Final = 0
"""The family, and the series, of the rows that say for how many seconds of an interval there are samples."""

POINT_TABLES: Final = f"""
CREATE TABLE families (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO families VALUES ({SAMPLED}, '');
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    family INTEGER NOT NULL,
    labels TEXT NOT NULL,
    bounds TEXT NOT NULL DEFAULT '',
    UNIQUE (family, labels, bounds)
);
CREATE TABLE points (
    tier INTEGER NOT NULL,
    family INTEGER NOT NULL,
    t INTEGER NOT NULL,
    series INTEGER NOT NULL,
    {_AMOUNT},
    PRIMARY KEY (tier, family, t, series)
) WITHOUT ROWID;
CREATE TABLE point_state (number_of_rows INTEGER NOT NULL, series_version INTEGER NOT NULL);
INSERT INTO point_state VALUES (0, random());
CREATE TABLE samplers (
    source TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    workers TEXT NOT NULL,
    taken REAL NOT NULL,
    t INTEGER NOT NULL
);
CREATE TABLE totals (
    source TEXT NOT NULL,
    series INTEGER NOT NULL,
    {_AMOUNT},
    PRIMARY KEY (source, series)
) WITHOUT ROWID;
"""  # noqa: S608  # only names of this module
"""`points` has what was added in the interval of `tier` seconds that ends at `t`. By time first: the rows of a sample are beside
each other. `point_state` has their number, and another
version after each change of `series`. `samplers` and `totals` have the last sample of each group of processes, for whichever process takes the next one."""

ADDED_TABLE: Final = f"CREATE TEMP TABLE IF NOT EXISTS added (series INTEGER PRIMARY KEY, family INTEGER, {_AMOUNT})"
_AMOUNTS: Final = ", ".join(AMOUNT_COLUMNS)
_SUMS: Final = ", ".join(f"{each} = {each} + excluded.{each}" for each in AMOUNT_COLUMNS)
_LATEST: Final = ", ".join(f"{each} = excluded.{each}" for each in AMOUNT_COLUMNS)
_SERIES_ID: Final = "(SELECT id FROM series WHERE family = ? AND labels = ? AND bounds = ?)"

ADD_FAMILY: Final = "INSERT OR IGNORE INTO families (name) VALUES (?)"
ADD_SERIES: Final = "INSERT OR IGNORE INTO series (family, labels, bounds) VALUES (?, ?, ?)"
STAGE: Final = (
    f"INSERT INTO temp.added (series, family, {_AMOUNTS}) "  # noqa: S608  # only names of this module
    f"VALUES ({_SERIES_ID}, ?, {', '.join('?' for _ in AMOUNT_COLUMNS)})"
)
ADD_STAGED: Final = (
    f"INSERT INTO points (tier, family, t, series, {_AMOUNTS}) "  # noqa: S608  # likewise
    f"SELECT ?, family, ?, series, {_AMOUNTS} FROM temp.added WHERE true "
    f"ON CONFLICT (tier, family, t, series) DO UPDATE SET {_SUMS}"
)
COUNT_STAGED: Final = (
    "SELECT count(*) FROM points JOIN (SELECT DISTINCT family FROM temp.added) USING (family) WHERE tier = ? AND t = ?"
)
ADD_ROWS: Final = "UPDATE point_state SET number_of_rows = number_of_rows + ?"
CHANGE_VERSION: Final = "UPDATE point_state SET series_version = random()"
KEEP_STAGED_TOTALS: Final = (
    f"INSERT INTO totals (source, series, {_AMOUNTS}) SELECT ?, series, {_AMOUNTS} FROM temp.added WHERE true "  # noqa: S608
    f"ON CONFLICT (source, series) DO UPDATE SET {_LATEST}"
)
MARK_SAMPLED: Final = (  # likewise
    f"INSERT OR IGNORE INTO points (tier, family, t, series, value, sum) VALUES (?, {SAMPLED}, ?, {SAMPLED}, ?, 0)"  # noqa: S608
)
ADD_SAMPLED: Final = (
    f"UPDATE points SET value = value + ? WHERE tier = ? AND family = {SAMPLED} AND t = ? AND series = {SAMPLED}"  # noqa: S608
)
REMOVE_OLD: Final = "DELETE FROM points WHERE tier = :tier AND family = :family AND t <= :until"
REMOVE_FUTURE: Final = "DELETE FROM points WHERE tier = :tier AND family = :family AND t > :future"
REMOVE_SERIES: Final = (
    "DELETE FROM series WHERE id NOT IN (SELECT series FROM points WHERE tier = ?) "
    "AND id NOT IN (SELECT series FROM totals)"
)
"""Every series with points has some in the tier of the longest intervals."""
TOTALS_OF: Final = (
    f"SELECT f.name, s.labels, s.bounds, {', '.join(f'x.{each}' for each in AMOUNT_COLUMNS)} "  # noqa: S608  # likewise
    "FROM totals x JOIN series s ON s.id = x.series JOIN families f ON f.id = s.family WHERE x.source = ?"
)
