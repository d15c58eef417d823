"""How Alembic reaches the database: by the connection that `service.database.migrate` hands over, else by DATABASE_URL."""

from alembic import context
from sqlalchemy.engine import Connection

from service.settings import Settings
from service.tables import Base
from telemetry.database import create_engine
from telemetry.logs.setup import setup_logging


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_from_the_command_line() -> None:
    settings = Settings.read()
    setup_logging(settings)
    engine = create_engine(settings.url)
    with engine.connect() as connection:
        run(connection)
    engine.dispose()


if (handed := context.config.attributes.get("connection")) is not None:
    run(handed)
else:
    run_from_the_command_line()
