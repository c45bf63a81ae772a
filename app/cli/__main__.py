"""`python -m app.cli`: the same as the `startrail` command."""

from app.cli.main import run

run()
