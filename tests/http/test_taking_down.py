"""What was taken down is nowhere: no page, no search, no export, no file on the disk; and it does not come back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.errors import UserError
from app.interchange.results import import_results
from app.runs.taking_down import remove
from app.settings import Settings
from app.store import tokens
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.permalinks import reason_gone
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Passage, Prompt, PromptSet, Run
from app.store.taking_down import take_down
from tests.support.seeded import fill
from tests.support.sites import site
from tests.support.vault import MARK, ONLY, Vault, fill_vault

WHY = "Its author asked us to."


@pytest.fixture
def kept(
    store: Store, database_url: str, tmp_path: Path
) -> Iterator[tuple[TestClient, Settings, Vault, dict[str, str]]]:
    with store.session() as session:
        fill(session, prompts=6, passages=60)
        vault = fill_vault(session)
    with site(database_url, tmp_path) as client:
        yield client, client.app.state.settings, vault, vault.bearer("admin")  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
        client.app.state.keeping.engine.dispose()  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application


def on_disk(home: Path, word: str) -> list[str]:
    """Files of the home directory that hold the word."""
    return [path.name for path in home.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_passage_is_gone_from_rankings_search_exports_and_disk(
    kept: tuple[TestClient, Settings, Vault, dict[str, str]], store: Store, tmp_path: Path
) -> None:
    client, settings, vault, admin = kept
    marked = "zzyzxtext stood here"
    with store.session() as session:
        for id_ in (vault.passages[0], vault.passages[2], "1"):  # the last stands in another corpus
            session.get_one(Passage, int(id_)).text = marked
    address = remove(store, settings, "passage", vault.passages[0], WHY)
    for form in ("", ".json", "/card.png"):
        answer = client.get(address + form, headers=admin)
        assert answer.status_code == 410
        assert WHY in answer.text
    for path in (
        "/runs/vault",
        f"/runs/vault/prompts/{vault.prompts[0]}.jsonl",
        "/prompts?q=zzyzxtext&run=vault",
        "/runs/trackstar.jsonl",
    ):
        assert marked not in client.get(path, headers=admin).text
    assert "removed" in client.get(f"/runs/vault/prompts/{vault.prompts[0]}.csv", headers=admin).text
    assert not on_disk(tmp_path, "zzyzxtext")
    with store.session() as session:
        add_corpus(
            session, "again", [PassageRecord("new", f"  {marked.upper()} "), PassageRecord("b", "Other.")]
        )
        texts = session.scalars(select(Passage.text).where(Passage.external_id == "new")).all()
        assert "zzyzx" not in texts[0].casefold()


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_prompts_traces_runs_and_corpora_go_with_all_that_hangs_on_them(
    kept: tuple[TestClient, Settings, Vault, dict[str, str]], store: Store, tmp_path: Path
) -> None:
    client, settings, vault, admin = kept
    gone = [
        remove(store, settings, "prompt", f"attic/{vault.prompts[2]}", WHY),
        remove(store, settings, "trace", vault.traces[1], WHY),
        remove(store, settings, "run", "link", WHY),
        remove(store, settings, "corpus", "vault", WHY),
    ]
    also = [
        f"/compare/{vault.prompts[2]}",
        f"/runs/vault/prompts/{vault.prompts[0]}",
        f"/api/traces/{vault.traces[0]}",
    ]
    for address in (*gone, *also):
        answer = client.get(
            address, headers=admin, params={"runs": "attic,trackstar"} if "compare" in address else None
        )
        assert (answer.status_code, WHY in answer.text) == (410, True), address
    assert client.get("/runs/attic.json", headers=admin).json()["run"]["prompts"] == 1
    with store.session() as session:
        assert not session.scalars(select(Run).where(Run.slug.in_(["link", "vault"]))).all()
        with pytest.raises(UserError, match="Its author asked us to"):
            add_prompts(session, "again", [PromptRecord("x", f"The {ONLY} attic 0 of {MARK} is kept", " x")])
    results = tmp_path / "link.jsonl"
    results.write_text(
        json.dumps({"inputs_plaintext": "A", "targets_plaintext": " b", "proponents": ["c"]}) + "\n"
    )
    with pytest.raises(UserError, match="taken down here"), store.session() as session:
        import_results(session, results, run="link")
    entries = client.get("/admin.json", headers=admin).json()["changes"]
    assert {"/corpora/vault", gone[0]} <= {each["what"] for each in entries if each["action"] == "take down"}


def test_a_prompt_is_gone_from_every_set_that_has_it(store: Store) -> None:
    """It stayed in all sets but that of the run by which it was named; a passage was always gone from every corpus."""
    with store.session() as session:
        fill(session, prompts=2, passages=6)
        named = session.scalars(select(Prompt).join(Run, Run.prompt_set_id == Prompt.prompt_set_id)).first()
        assert named
        runs = list(session.scalars(select(Run.slug).where(Run.prompt_set_id == named.prompt_set_id)))
        same = [PromptRecord("same", named.text, " x"), PromptRecord("else", "Something else is", " x")]
        add_prompts(session, "other", same)
    with store.session() as session:
        take_down(session, "prompt", f"{runs[0]}/{named.slug}", WHY)
    with store.session() as session:
        assert not session.scalars(select(Prompt).where(Prompt.text == named.text)).all()
        assert session.scalars(
            select(Prompt.text).join(PromptSet).where(PromptSet.name == "other")
        ).all() == ["Something else is"]
        for run in runs:
            assert reason_gone(session, f"/runs/{run}/prompts/{named.slug}") == WHY


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_admin_does_it_by_a_form_and_nobody_else_does(
    kept: tuple[TestClient, Settings, Vault, dict[str, str]], store: Store
) -> None:
    client, _, vault, admin = kept
    form = {"kind": "run", "name": "attic", "reason": WHY}
    assert client.post("/admin/remove", data=form).status_code == 401
    assert client.post("/admin/remove", data=form, headers=vault.bearer("import")).status_code == 403
    assert client.post("/admin/remove", data=form | {"reason": " "}, headers=admin).status_code == 422
    assert client.post("/admin/remove", data=form | {"kind": "model"}, headers=admin).status_code == 422
    answer = client.post("/admin/remove", data=form, headers=admin)
    assert answer.status_code == 410
    assert client.post("/admin/remove", data=form, headers=admin).status_code == 404
    with store.session() as session:
        assert session.scalar(select(Prompt.id).where(Prompt.slug == vault.prompts[2])) is not None
        assert tokens.all_of(session)
