"""The package as others install it: a wheel, far from the checkout, whose pages and migrations came along.

What it depends on is that of this environment; whether `pip install` finds that is the lock's test, not this one's.
"""

import os
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.ports import free_port

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds what is in the wheel, with its commands in `bin`."""
    folder = tmp_path_factory.mktemp("package")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels"), str(ROOT)]
    subprocess.run([*pip, *wheel], check=True)
    (made,) = (folder / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", made], check=True)
    return folder / "site"


@pytest.fixture
def elsewhere(installed: Path, tmp_path: Path) -> dict[str, str]:
    """An environment in which the checkout cannot be imported, only the package and what it needs."""
    paths = [str(installed), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "STARTRAIL_HOME": str(tmp_path / "home"),
        "COLUMNS": "200",
    }


def said(words: list[str | Path], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_and_the_python_door_open(
    installed: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    told = said([installed / "bin" / "startrail", "--help"], elsewhere, tmp_path)
    assert {"serve", "retrieve", "import"} <= set(told.split())
    where = said([sys.executable, "-c", "import startrail; print(startrail.__file__)"], elsewhere, tmp_path)
    assert Path(where.strip()).is_relative_to(installed)
    files = "from app.demo.shipped import *; print(corpus_path().exists(), (model_path() / 'config.json').exists())"
    assert said([sys.executable, "-c", files], elsewhere, tmp_path).split() == ["True", "True"]


def test_a_site_is_served_from_it(installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    """Its migrations make the tables, its templates the page, and the page's style is there."""
    command = str(installed / "bin" / "startrail")
    said([command, "migrate"], elsewhere, tmp_path)
    port = free_port()
    served = [command, "serve", "--no-worker", "--port", str(port)]
    with subprocess.Popen(served, env=elsewhere, cwd=tmp_path, stderr=subprocess.DEVNULL) as site:
        try:
            page = answer(f"http://127.0.0.1:{port}/prompts")
            assert "<h1" in page
            (style,) = [
                part.split('"')[0] for part in page.split('href="') if part.startswith("/static/app.css")
            ]
            assert "--paper" in answer(f"http://127.0.0.1:{port}{style}")
        finally:
            site.terminate()


def answer(url: str) -> str:
    """What is at the address, once somebody listens there."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url) as told:
                return str(told.read(), "utf-8")
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
