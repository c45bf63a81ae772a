"""Counts of web crawls do not fit 32 bits."""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
COUNTS = (("prompts", "frequency"), ("prompts", "frequency_bucket"), ("retrieved", "original_rank"))


def upgrade() -> None:
    _become(sa.Integer(), sa.BigInteger())


def downgrade() -> None:
    _become(sa.BigInteger(), sa.Integer())


def _become(old: sa.types.TypeEngine[int], new: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name == "sqlite":  # its integers have 64 bits under any name
        return
    for table, column in COUNTS:
        op.alter_column(table, column, existing_type=old, type_=new)
