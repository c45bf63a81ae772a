"""Passages may have roles: who says which part, and what of it was learned."""

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("passages", sa.Column("roles", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("passages") as passages:
        passages.drop_column("roles")
