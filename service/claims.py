"""Claims: of all processes and machines that share a database, one runs a tick."""

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from service.tables import ScheduleClaim
from telemetry.database import transaction


class Claims:
    """Each job has one row, the tick that was last claimed; it only moves forwards, and whoever moves it runs the tick."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, job_name: str, tick: datetime) -> bool:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(ScheduleClaim).values(job_name=job_name, last_tick=tick)
        claim = insert.on_conflict_do_update(
            index_elements=[ScheduleClaim.job_name],
            set_={"last_tick": insert.excluded.last_tick},
            where=ScheduleClaim.last_tick < insert.excluded.last_tick,
        )
        with transaction(self._engine) as session:
            # Not by `rowcount`, which SQLAlchemy does not keep of an INSERT.
            return session.scalar(claim.returning(ScheduleClaim.job_name)) is not None
