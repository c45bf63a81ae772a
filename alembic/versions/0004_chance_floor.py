"""With every ranking the chance floor, and how many passages score more than it."""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("results", sa.Column("chance_floor", sa.Double(), nullable=True))
    op.add_column("results", sa.Column("above_chance", sa.Integer(), nullable=True))
    op.add_column("results", sa.Column("chance", sa.JSON(), nullable=True))


def downgrade() -> None:
    for name in ("chance", "above_chance", "chance_floor"):
        op.drop_column("results", name)
