"""What is broken on disk is named, with what to do, by the site and in the terminal."""

import secrets
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.errors import UserError
from app.settings import get_settings
from app.store import tokens
from app.store.engine import Store, make_engine
from app.store.models import register_model
from app.tracing.trace_engine import TraceEngine
from app.tracing.worker import Worker
from app.trackstar.manifest import IndexManifest
from tests.support.asking import made_home, put_corpus, settings_of
from tests.support.sites import site


@pytest.fixture
def home(tmp_path: Path, store: Store) -> Path:
    """A home of its own that a test may break, and a store that knows its model."""
    copy = tmp_path / "home"
    shutil.copytree(made_home(), copy, ignore=shutil.ignore_patterns("*.db*"))
    put_corpus(store)
    with store.session() as session:
        register_model(session, "demo", path=str(copy / "models" / "demo"))
    return copy


def shard_of(home: Path) -> Path:
    return home / "indexes" / "demo" / "encodings-00000.npy"


def unready(url: str, home: Path) -> dict[str, str]:
    """Names and details of the checks that fail, the worker's (none runs) left out."""
    admin = _admin(url)
    with site(url, home) as client:
        answer = client.get("/readyz.json", headers=admin)
        assert answer.status_code == 503
        page = client.get("/readyz", headers=admin).text
        assert str(home) not in client.get("/readyz").text
    failed = {check["name"]: check["detail"] for check in answer.json()["checks"] if not check["ok"]}
    assert all(name in page for name in failed)
    return {name: detail for name, detail in failed.items() if name != "worker"}


def _admin(url: str) -> dict[str, str]:
    """Headers of who is shown paths and hosts."""
    store = Store(make_engine(url))
    with store.session() as session:
        secret = tokens.add(session, secrets.token_hex(4), ["admin"], expires_at=None)
    store.engine.dispose()
    return {"Authorization": f"Bearer {secret}"}


def in_terminal(monkeypatch: pytest.MonkeyPatch, url: str, home: Path, *words: str) -> Result:
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", url)
    monkeypatch.setenv("STARTRAIL_HOME", str(home))
    monkeypatch.setenv("STARTRAIL_DEVICE", "cpu")
    get_settings.cache_clear()
    try:
        return CliRunner().invoke(app, list(words))
    finally:
        get_settings.cache_clear()


def test_a_whole_home_lacks_only_the_worker(home: Path, database_url: str) -> None:
    assert unready(database_url, home) == {}


def test_a_shard_cut_short_is_named(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a full disk or a copy that was stopped."""
    shard = shard_of(home)
    with shard.open("r+b") as file:
        file.truncate(100)
    details = unready(database_url, home)
    assert list(details) == ["index demo"]
    assert shard.name in details["index demo"]
    assert "build the index again" in details["index demo"]
    for _ in range(2):  # the worker that failed is listed then, and nobody waits for it
        result = in_terminal(monkeypatch, database_url, home, "trace", "The capital of Mali is", " Bamako")
        assert result.exit_code == 2
        assert shard.name in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": 99, "dimension": 8, "shards": []}', "schema 99"),  # a newer Startrail's
        ('{"dimension": 8, "shards": []}', "damaged"),
        ("", "damaged"),
        (b'{"schema": 1, "model": "\xe9"}', "damaged"),  # saved in another encoding
    ],
)
def test_a_manifest_that_the_worker_refuses_is_not_called_ready(
    home: Path, database_url: str, text: str | bytes, words: str
) -> None:
    """One reader of manifests: a site behind a load balancer must not call itself ready and then answer nothing."""
    manifest = home / "indexes" / "demo" / "manifest.json"
    manifest.write_bytes(text if isinstance(text, bytes) else text.encode())
    details = unready(database_url, home)
    assert list(details) == ["index demo"]
    assert words in details["index demo"]
    with pytest.raises(UserError, match=words):
        IndexManifest.read(manifest.parent)


def test_missing_weights_are_named(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "models" / "demo" / "model.safetensors").unlink()
    details = unready(database_url, home)
    assert list(details) == ["model demo"]
    assert str(home / "models" / "demo") in details["model demo"]
    result = in_terminal(monkeypatch, database_url, home, "trace", "The capital of Mali is", " Bamako")
    assert result.exit_code == 2
    assert "demo" in result.output
    assert "Traceback" not in result.output


def test_a_model_that_is_gone_is_named_where_it_is_asked_for(
    home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(home / "models" / "demo")
    with site(database_url, home) as client:
        answer = client.post("/api/traces", json={"prompt": "The capital of Mali is"})
    assert answer.status_code in (404, 422)
    assert "demo" in answer.json()["detail"]
    result = in_terminal(monkeypatch, database_url, home, "trace", "The capital of Mali is")
    assert result.exit_code == 2
    assert "There is no model “demo”" in result.output


def test_a_worker_that_could_not_load_says_why_on_the_site(
    home: Path, store: Store, database_url: str
) -> None:
    """Whoever looks at /readyz must not have to read the worker's log."""
    shard = shard_of(home)
    shard.unlink()
    worker = Worker(store, TraceEngine(settings_of(home, database_url), store, device="cpu"))
    with pytest.raises(Exception, match=shard.name):
        worker.run()
    with site(database_url, home) as client:
        checks = {
            check["name"]: check
            for check in client.get("/readyz.json", headers=_admin(database_url)).json()["checks"]
        }
    assert not checks["worker"]["ok"]
    assert shard.name in checks["worker"]["detail"]
