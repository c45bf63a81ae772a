"""Beside a run over targets, one of what the model said where that was something else."""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("beside_id", sa.Integer(), nullable=True))
        runs.create_foreign_key("fk_runs_beside", "runs", ["beside_id"], ["id"], ondelete="CASCADE")
        runs.create_index("ix_runs_beside_id", ["beside_id"])


def downgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.drop_index("ix_runs_beside_id")
        runs.drop_constraint("fk_runs_beside", type_="foreignkey")
        runs.drop_column("beside_id")
