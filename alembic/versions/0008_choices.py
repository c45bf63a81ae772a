"""Prompts with choices, how likely a model finds each, what a result is contrasted with, and how firm a place is."""

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
COLUMNS = (
    ("prompts", "choices", sa.JSON),
    ("prompts", "label", lambda: sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
    ("outputs", "weighed", sa.JSON),
    ("results", "contrast", sa.Text),
    ("retrieved", "halves", sa.Integer),
)


def upgrade() -> None:
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind(), nullable=True))


def downgrade() -> None:
    for table, name, _ in reversed(COLUMNS):
        with op.batch_alter_table(table) as changed:
            changed.drop_column(name)
