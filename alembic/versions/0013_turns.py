"""Places in the queue are shared out: by client, each in their turn."""

import sqlalchemy as sa

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("share", sa.String(80), nullable=True))
        jobs.add_column(sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
        jobs.drop_index("ix_jobs_state_turn")
        jobs.create_index("ix_jobs_state_turn", ["state", "priority", "turn", "created_at"])


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_state_turn")
        jobs.create_index("ix_jobs_state_turn", ["state", "priority", "created_at"])
        jobs.drop_column("turn")
        jobs.drop_column("share")
