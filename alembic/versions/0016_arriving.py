"""Which rows belong to an import that is not whole yet: it is written in steps, and nobody sees them until the last."""

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "arriving",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Integer()),
        sa.Column("corpus_id", sa.Integer()),
        sa.Column("passages_from", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("prompt_set_id", sa.Integer()),
        sa.Column("prompts_from", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("model_id", sa.Integer()),
        sa.Column("made", sa.JSON(), nullable=False, server_default="[]"),
    )


def downgrade() -> None:
    op.drop_table("arriving")
