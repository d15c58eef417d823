"""The page of all tables, from the ORM models and their docstrings."""

import inspect
import re
from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from service.database import tables as service_tables
from telemetry.jobs.store import tables as telemetry_tables
from tools.reference.markdown import code, sentence, table

_ATTRIBUTE: Final = re.compile(r"^ +(\w+): (.+?)(?=^ +\w+: |\Z)", re.MULTILINE | re.DOTALL)


def page() -> str:
    """The whole page."""
    models = {mapper.class_.__tablename__: mapper.class_ for base in _bases() for mapper in base.registry.mappers}
    return "\n\n".join([_HEAD, *(_model(models[name]) for name in sorted(models))]) + "\n"


def _bases() -> set[Any]:
    return {service_tables.Base, telemetry_tables.Base}


def _model(model: Any) -> str:
    about, _, attributes = (inspect.getdoc(model) or "").partition("Attributes:")
    meanings = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}
    description: Table = model.__table__
    rows = [(code(column.name), _type(column), _key(column), meanings.get(column.name, "")) for column in description.c]
    about = " ".join(about.split())
    return f"## `{description.name}`\n\n{sentence(about)}\n\n{table(('column', 'type', 'key', 'meaning'), rows)}"


def _type(column: "Column[Any]") -> str:
    name = column.type.compile(postgresql.dialect()).lower()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    return f"{name}, or null" if column.nullable else name


def _key(column: "Column[Any]") -> str:
    keys = ["primary"] if column.primary_key else []
    return ", ".join([*keys, *(f"of {code(key.column.table.name)}" for key in column.foreign_keys)])


_HEAD: Final = """# Database tables

Types are those of PostgreSQL. Timestamps are UTC.

`make reference` makes this page from the ORM models."""
