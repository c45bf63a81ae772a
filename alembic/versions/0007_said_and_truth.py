"""What the model said, token by token, and whether a run explains that or the target."""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("outputs", sa.Column("said", sa.Text(), nullable=True))
    op.add_column("outputs", sa.Column("said_tokens", sa.JSON(), nullable=True))
    op.add_column("outputs", sa.Column("said_probability", sa.Double(), nullable=True))
    op.add_column("runs", sa.Column("explains", sa.String(8), nullable=False, server_default="target"))


def downgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("explains")
    with op.batch_alter_table("outputs") as outputs:
        for name in ("said_probability", "said_tokens", "said"):
            outputs.drop_column(name)
