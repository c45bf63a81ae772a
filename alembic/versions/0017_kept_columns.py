"""What lists need of all the prompts of a large run is kept, and told to be old by how often its model's answers were written."""

import sqlalchemy as sa

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("models", sa.Column("answered", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "kept_columns",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("kept_columns")
    with op.batch_alter_table("models") as models:
        models.drop_column("answered")
