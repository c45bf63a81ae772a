"""All tables together: for migrations and tests, which must know every one of them."""

from app.store import access_tables, tables, work_tables
from app.store.base import Base

PARTS = (tables, work_tables, access_tables)  # imported, so that they are known
METADATA = Base.metadata
