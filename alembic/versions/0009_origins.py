"""Where models and corpora come from: source, licence, author, and what is known of a model's making."""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
ORIGIN = ("source", "licence", "author")


def upgrade() -> None:
    for table in ("models", "corpora"):
        for name in ORIGIN:
            op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("models", sa.Column("facts", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for table, names in (("corpora", ORIGIN), ("models", (*ORIGIN, "facts"))):
        with op.batch_alter_table(table) as altered:
            for name in names:
                altered.drop_column(name)
