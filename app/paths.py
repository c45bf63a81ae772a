"""Where the files that are not code are: in `app/_site`, always. In a checkout its three entries are links to the
directories at the top, where people look for them; a wheel holds the directories themselves there."""

from pathlib import Path

_SITE = Path(__file__).parent / "_site"
TEMPLATES = _SITE / "templates"
STATIC = _SITE / "static"
ALEMBIC = _SITE / "alembic"
CHECKOUT = Path(__file__).parents[1]  # where `.git` is, if Startrail was not installed from a wheel
