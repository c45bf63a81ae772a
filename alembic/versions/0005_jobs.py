"""Work stands in `jobs`, whatever its kind; a row of `traces` is an answer and nothing else.

Before, a row of `traces` was a trace, a training or a shading, told apart by how its key began: `train:TRACE:…` and
`shade:…`, each with 40 hexadecimal digits after it, and 64 plain ones for a trace.
"""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime(timezone=True)
KINDS = {"train:": "steps", "shade:": "shade"}
TRACE_ID = 12  # characters of a trace's id
DIGITS = 40


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("parent", sa.String(length=80), nullable=True),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("deadline", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_jobs_state_turn", "jobs", ["state", "priority", "created_at"])
    op.create_index("ix_jobs_parent", "jobs", ["parent"])
    op.create_index("ix_jobs_key", "jobs", ["key"])
    kind = "CASE" + "".join(f" WHEN request_key LIKE '{a}%' THEN '{b}'" for a, b in KINDS.items())
    parent = f"CASE WHEN request_key LIKE 'train:%' THEN substr(request_key, 7, {TRACE_ID}) END"
    digits = (
        f"CASE WHEN request_key LIKE 'train:%' THEN substr(request_key, {7 + TRACE_ID + 1}, {DIGITS})"
        f" WHEN request_key LIKE 'shade:%' THEN substr(request_key, 7, {DIGITS})"
        f" ELSE substr(request_key, 1, {DIGITS}) END"
    )
    # A trace's answer is not copied: `traces` has it.
    result = "CASE WHEN request_key LIKE 'train:%' OR request_key LIKE 'shade:%' THEN result END"
    op.execute(
        "INSERT INTO jobs (id, kind, parent, key, priority, state, stage, done, request, result, error, worker,"
        " attempts, lease_until, created_at, started_at, finished_at)"
        f" SELECT id, {kind} ELSE 'trace' END, {parent}, {digits}, 0, status, stage, 0, request, {result}, error,"
        " worker, attempts, lease_until, created_at, started_at, finished_at FROM traces"
    )
    op.execute(
        "DELETE FROM traces WHERE status <> 'done' OR request_key LIKE 'train:%' OR request_key LIKE 'shade:%'"
    )
    op.drop_index("ix_traces_request_key", "traces")
    op.drop_index("ix_traces_status_created", "traces")
    with op.batch_alter_table("traces") as traces:
        for column in (
            *("status", "stage", "request_key", "error", "worker", "attempts", "lease_until", "started_at"),
        ):
            traces.drop_column(column)
        traces.alter_column("result", existing_type=sa.JSON(), nullable=False)
        traces.alter_column("finished_at", existing_type=TIME, nullable=False)
    op.create_index("ix_traces_created", "traces", ["created_at"])


def downgrade() -> None:
    """Back to the tables of before; what waits or was not answered is forgotten."""
    op.drop_index("ix_traces_created", "traces")
    with op.batch_alter_table("traces") as traces:
        traces.alter_column("result", existing_type=sa.JSON(), nullable=True)
        traces.alter_column("finished_at", existing_type=TIME, nullable=True)
        for column in (
            sa.Column("status", sa.String(length=20), nullable=False, server_default="done"),
            sa.Column("stage", sa.String(length=20), nullable=False, server_default="done"),
            sa.Column("request_key", sa.String(length=64), nullable=False, server_default=""),
            sa.Column("error", sa.JSON(), nullable=True),
            sa.Column("worker", sa.String(length=80), nullable=True),
            sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"),
            sa.Column("lease_until", TIME, nullable=True),
            sa.Column("started_at", TIME, nullable=True),
        ):
            traces.add_column(column)
    op.create_index("ix_traces_request_key", "traces", ["request_key"])
    op.create_index("ix_traces_status_created", "traces", ["status", "created_at"])
    op.drop_table("jobs")
