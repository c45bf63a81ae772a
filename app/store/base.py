"""What all tables are made of: the declarative base, keys and counts of many digits, the clock."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Integer
from sqlalchemy.orm import DeclarativeBase

# SQLite only auto-increments INTEGER primary keys; PostgreSQL wants room for billions of passages.
BigId = BigInteger().with_variant(Integer, "sqlite")
BigCount = BigId  # a web crawl states a fact more often than 32 bits can say


def now() -> datetime:
    """The present in UTC: every time in the store is UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Common base; dictionaries and lists are JSON columns."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSON, list[str]: JSON, list[int]: JSON, list[Any]: JSON}
