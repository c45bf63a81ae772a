"""What lists need of a large run is kept a row for each column; what was kept together is made anew."""

import sqlalchemy as sa

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.drop_table("kept_columns")
    op.create_table("kept_columns", *_columns(sa.Column("name", sa.String(40), primary_key=True)))
    if (
        op.get_bind().dialect.name == "postgresql"
    ):  # what is read whole is not compressed: that would take longer
        for table in ("kept_columns", "kept_shares"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("kept_columns")
    found = sa.Column("found", sa.JSON(), nullable=False, server_default="[]")
    op.create_table("kept_columns", *_columns(), found)


def _columns(*more: sa.Column) -> list[sa.Column]:
    return [
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        *more,
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    ]
