"""Training steps on passages, kept for ever: of which target, and for which trace or result."""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "step_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Double(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "steps_taken",
        sa.Column("set_id", sa.Integer(), sa.ForeignKey("step_sets.id", ondelete="CASCADE"), nullable=False),
        sa.Column("passage_id", BIG, sa.ForeignKey("passages.id", ondelete="CASCADE"), nullable=False),
        sa.Column("after", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("set_id", "passage_id"),
    )
    op.create_index("ix_steps_taken_passage_id", "steps_taken", ["passage_id"])
    op.create_table(
        "lanes",
        sa.Column("parent", sa.String(length=80), nullable=False),
        sa.Column("lane", sa.String(length=10), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("passage_id", BIG, sa.ForeignKey("passages.id", ondelete="CASCADE"), nullable=False),
        sa.Column("set_id", sa.Integer(), sa.ForeignKey("step_sets.id", ondelete="CASCADE"), nullable=False),
        sa.PrimaryKeyConstraint("parent", "lane", "rank"),
    )
    op.create_index("ix_lanes_passage_id", "lanes", ["passage_id"])
    op.create_index("ix_lanes_set_id", "lanes", ["set_id"])


def downgrade() -> None:
    for table in ("lanes", "steps_taken", "step_sets"):
        op.drop_table(table)
