"""One HOME holds everything, whatever it is called: it is a name on a disk, never a URL and never a pattern."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.paths import CHECKOUT
from app.settings import Settings
from app.store.engine import open_store

NAMES = (
    "100%25",
    "100%",
    "50%s",
    "what?",
    "what?mode=ro",
    "a~b",
    "~",
    "#1",
    "a b",
    "+",
    "ü",
    "x@y:z",
    "[1]",
    "a;b&c=d",
)


@pytest.mark.parametrize("name", NAMES)
def test_all_of_home_is_in_one_directory(name: str, tmp_path: Path) -> None:
    """“100%25” had its database in “100%” and its models in “100%25”."""
    home = tmp_path / name
    settings = Settings(home=home, _env_file=None)
    assert make_url(settings.url).database == str(home / "startrail.db")
    open_store(settings.url, migrate=True).engine.dispose()
    assert (home / "startrail.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert settings.models.parent == settings.indexes.parent == home


def test_the_tilde_of_a_dotenv_file_is_the_users_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No shell has seen it there; a directory called “~” is never what was meant."""
    (tmp_path / ".env").write_text("STARTRAIL_HOME=~/startrail\n")
    monkeypatch.setenv("HOME", str(tmp_path / "someone"))
    monkeypatch.delenv("STARTRAIL_HOME", raising=False)
    settings = Settings(_env_file=tmp_path / ".env")
    assert settings.home == tmp_path / "someone" / "startrail"


def test_a_checkout_may_have_a_percent_sign_in_its_path(tmp_path: Path) -> None:
    """Alembic reads its directory from a configuration in which % begins an interpolation."""
    checkout = tmp_path / "50%off"
    checkout.mkdir()
    for name in ("app", "alembic", "templates", "static"):
        (checkout / name).symlink_to(CHECKOUT / name)
    program = (
        "import sys, app.paths; from pathlib import Path; app.paths.ALEMBIC = Path(sys.argv[1]) / 'alembic';"
        "from app.store.engine import migrate; migrate(sys.argv[2])"
    )
    database = tmp_path / "startrail.db"
    subprocess.run(
        [sys.executable, "-c", program, checkout, f"sqlite:///{database}"], cwd=checkout, check=True
    )
    assert database.is_file()
