"""Prompts are found by their text: of a question that is typed, whether its answer is known."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # A hash on PostgreSQL, whose trees refuse texts longer than a third of a page.
    op.create_index("ix_prompts_text", "prompts", ["text"], postgresql_using="hash")


def downgrade() -> None:
    op.drop_index("ix_prompts_text", "prompts")
