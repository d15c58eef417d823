"""The database engines of a process: one for jobs, and one each for API requests and for the health probes.

Each has connections of its own: requests do not wait for jobs, and probes wait for neither.
"""

from dataclasses import dataclass
from typing import Final, Self

from sqlalchemy.engine import URL, Engine

from telemetry.database import EngineLimits, create_engine, dedicated_engine

REQUEST_LIMITS: Final = EngineLimits(pool_size=5, max_overflow=10, pool_timeout=2, statement_timeout=10, lock_timeout=2)
PROBE_LIMITS: Final = EngineLimits(pool_size=3, max_overflow=0, pool_timeout=1, statement_timeout=2, lock_timeout=1)
"""One connection for each check that uses the database."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Engines for the same database; all are disposed of together with that of the jobs.

    Attributes:
        jobs: its statements take as long as they need, and so do those of migrations.
        requests: its statements have a timeout.
        probes: as for requests, and shorter.
    """

    jobs: Engine
    requests: Engine
    probes: Engine

    @classmethod
    def create(cls, url: URL, application_name: str) -> Self:
        jobs = create_engine(url, application_name)
        return cls(
            jobs,
            dedicated_engine(jobs, REQUEST_LIMITS, purpose="requests", traced=True),
            dedicated_engine(jobs, PROBE_LIMITS, purpose="probes"),
        )
