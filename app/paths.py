"""Where the files beside the code are: templates, static and alembic stand at the top of the checkout,
or inside the package when Startrail was installed from a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_SITE = _PACKAGE / "_site"
ROOT = _SITE if _SITE.is_dir() else _PACKAGE.parent
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
ALEMBIC = ROOT / "alembic"
