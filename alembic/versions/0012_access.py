"""Who may do what: tokens, sign-ins, the audit log, the denylist; what is shown to whom, and who asked for a job."""

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
SHOWN = ("runs", "corpora")
ASKED = ("jobs", "traces")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("used_at", moment, nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
    )
    op.create_table(
        "sign_ins",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("token_id", sa.Integer(), sa.ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", moment, nullable=False, index=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
    )
    op.create_table(
        "denied",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
    )
    for table in (*SHOWN, *ASKED):
        op.add_column(table, sa.Column("visibility", sa.String(10), nullable=False, server_default="public"))
    for table in SHOWN:
        op.add_column(table, sa.Column("secret", sa.String(64), nullable=True))
    for table in ASKED:
        op.add_column(table, sa.Column("asker", sa.String(80), nullable=True))
    op.add_column("jobs", sa.Column("request_id", sa.String(40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("request_id")
    for tables, name in ((ASKED, "asker"), (SHOWN, "secret"), ((*SHOWN, *ASKED), "visibility")):
        for table in tables:
            with op.batch_alter_table(table) as altered:
                altered.drop_column(name)
    for table in ("denied", "audit", "sign_ins", "tokens"):
        op.drop_table(table)
