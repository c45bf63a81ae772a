"""What each prompt of a large run adds to a figure is kept, a row for each measure, and which passages it found most."""

import sqlalchemy as sa

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("kept_columns", sa.Column("found", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "kept_shares",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("kept_shares")
    with op.batch_alter_table("kept_columns") as kept:
        kept.drop_column("found")
