"""What a corpus was read from: its files, at the commit of a hub, and with which options."""

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("corpora", sa.Column("reading", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("corpora") as corpora:
        corpora.drop_column("reading")
