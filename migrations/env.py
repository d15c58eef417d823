"""How Alembic reaches the database: by the connection that `service.database.migrate` hands over, else by DATABASE_URL."""

import logging
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy.engine import Connection

from service.database.migrations import MigrationLocked, exclusive_transaction
from service.database.tables import Base
from service.settings import Settings
from telemetry.database import create_engine
from telemetry.logs import setup_logging
from telemetry.settings import SettingsError


def run(**how: Any) -> None:
    """All of the migrations, or none: in the transaction of the connection's owner, else in one of Alembic's."""
    context.configure(target_metadata=Base.metadata, transactional_ddl=True, **how)
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: Connection) -> None:
    # SQLite alters a table by copying it.
    run(connection=connection, render_as_batch=connection.dialect.name == "sqlite")


def run_from_the_command_line() -> None:
    settings = Settings.read()
    if context.is_offline_mode():  # `--sql`: what would be run is written out, and no database asked
        run(url=settings.url, literal_binds=True)
        return
    setup_logging(settings)
    logging.getLogger("alembic").setLevel(settings.log_level)  # the service shows each step at DEBUG only
    engine = create_engine(settings.url, settings.service_name)
    with exclusive_transaction(engine) as connection:
        run_on(connection)
    engine.dispose()


if (handed := context.config.attributes.get("connection")) is not None:
    run_on(handed)
else:
    try:
        run_from_the_command_line()
    except (SettingsError, MigrationLocked) as error:
        raise CommandError(str(error)) from None  # one line, where it would be a traceback
