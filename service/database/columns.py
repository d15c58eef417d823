"""Column types that both databases have: row ids and exact decimal numbers."""

from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Numeric, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

# SQLite numbers rows by itself only if the key is an INTEGER.
ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")


class DecimalColumn(TypeDecorator[Decimal]):
    """A decimal number: exact on PostgreSQL, up to 15 digits on SQLite, which stores it as a float."""

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return Numeric(self.precision, self.scale, asdecimal=False)
        return Numeric(self.precision, self.scale)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else Decimal(str(value)).quantize(Decimal(1).scaleb(-self.scale))
