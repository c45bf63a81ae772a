"""All tables together: for migrations and tests, which must know every one of them."""

from app.store import tables, work_tables
from app.store.base import Base

PARTS = (tables, work_tables)  # imported, so that they are known
METADATA = Base.metadata
