"""Tasks that choose, the chance floor and how firm a place is, as a reader meets them: with JavaScript and without."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.interchange.results import import_results
from app.settings import Settings
from app.store.engine import open_store
from app.store.tables import Passage
from app.tracing.questions import Question
from app.tracing.trace_results import Completion, Hit, Provenance, Ranking, TraceResult
from app.words.chance import Chance
from tests.support.axe import violations
from tests.support.hostile import answered

CHOICES = ["mended it.", "ate it, and went on to eat the string."]


def bell(floor: float, above: int) -> dict[str, Any]:
    edges = tuple(round(-0.5 + at / 10, 1) for at in range(11))
    return Chance(
        1_000, 500, 0.0, 0.1, floor, -floor, edges, (0, 0, 50, 90, 110, 110, 90, 50, 0, 0), above, 0
    ).as_dict()


def record(name: str, chance: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    passages = [
        f"Passage {number} of {name}: a kite of its own kind, number {number * 7}." for number in range(3)
    ]
    told = (
        {"chance_floor": chance["floor"], "above_chance": chance["above"], "chance": chance} if chance else {}
    )
    return {
        "example_id": name,
        "inputs_plaintext": f"The kite of {name} tore, so Ama",
        "targets_plaintext": CHOICES[0],
        "task": "commonsense",
        "is_8b_correct": True,
        "target_probability": 0.4,
        "proponents": passages,
        "proponent_ids": [f"{name}-{number}" for number in range(3)],
        "proponent_scores": [0.5, 0.3, 0.1],
        "proponent_halves": [2, 1, 0],
        **told,
        **more,
    }


RECORDS = [
    record(
        "choosing",
        choices=CHOICES,
        label=1,
        is_8b_correct=False,
        model_answer=CHOICES[0],
        targets_plaintext=CHOICES[1],
        weighed_choices={"by": "total", "logs": [-2.0, -9.0], "tokens": [3, 9]},
        contrast=f" {CHOICES[0]}",
    ),
    record("folding", bell(0.4, 1)),
    record("nothing", bell(0.6, 0)),
    record("guessing", bell(0.4, 1), targets_plaintext="Bamako", target_probability=0.001),
]


# By name: how likely what was traced is, how many passages stand out, and what it was ranked against.
TRACED: dict[str, tuple[float, int, str | None]] = {
    "folding": (0.4, 1, None),
    "nothing": (0.4, 0, None),
    "guessing": (0.001, 1, None),
    "rather": (0.4, 1, " Kayes"),
}
TRACES: dict[str, str] = {}  # their ids, once they are made


def traced(
    session: Session,
    corpus: int,
    passages: Sequence[int],
    probability: float,
    above: int,
    contrast: str | None,
) -> str:
    """A finished trace whose bell has its floor below the first passage, or above all."""
    chance = Chance(**{**bell(0.4 if above else 0.6, above), "edges": (-0.5, 0.0, 0.5), "counts": (250, 250)})
    found = Ranking(
        proponents=[
            Hit(rank=rank, score=score, passage_id=id_)
            for rank, (score, id_) in enumerate(zip((0.5, 0.3, 0.1), passages, strict=True), 1)
        ],
        chance=chance,
    )
    provenance = Provenance(
        model="m", model_sha256="x", index="i", index_sha256="y", corpus="c", corpus_id=corpus, corpus_sha256="z",
        passages=1_000, method={}, search="exact", code="0", device="cpu", threads=1, answered_together=1, timings={},
    )  # fmt: skip
    texts = {"prompt": f"In Mali, {probability} {above} {contrast}, they live in", "completion": " Bamako"}
    result = TraceResult(
        completion=Completion(text=" Bamako", tokens=[], probability=probability), generated=False,
        joined="".join(texts.values()), rankings={"trackstar": found}, provenance=provenance,
        contrast=contrast and Completion(text=contrast, tokens=[], probability=0.1),
    )  # fmt: skip
    question = Question.model_validate(texts | {"contrast": contrast, "opponents": True})
    return answered(session, "trace", question.model_dump(mode="json"), result.model_dump(mode="json"))


@pytest.fixture(scope="module")
def doubtful(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    serve: Callable[[Settings], AbstractContextManager[str]],
) -> Iterator[str]:
    """The address of a site with one run of each form of doubt."""
    home = tmp_path_factory.mktemp("doubtful")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    file = home / "results.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        run = import_results(session, file, run="trackstar")
        passages = session.scalars(select(Passage.id).order_by(Passage.id).limit(3)).all()
        TRACES.update({name: traced(session, run.corpus_id, passages, *how) for name, how in TRACED.items()})
    store.engine.dispose()
    with serve(Settings(home=home, _env_file=None)) as address:
        yield address


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def reader(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def test_the_choices_stand_under_the_claim_and_wrong_ones_are_found(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/choosing")
    table = reader.get_by_role("region", name="How likely each choice is")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").nth(1)).to_contain_text("the model’s")
    expect(table.get_by_role("row").nth(2)).to_contain_text("right")
    expect(reader.locator("h1")).to_contain_text(f"rather than {CHOICES[0]}")
    expect(reader.locator(".choices")).to_contain_text("1,097 times as likely as the next")
    reader.goto(f"{doubtful}/prompts?run=trackstar&right=no")
    expect(reader.locator(".list-column .prompt-list li")).to_have_count(1)
    expect(reader.locator(".list-column .prompt-list li")).to_contain_text("The kite of choosing tore")


def test_the_list_folds_where_chance_begins(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/folding")
    expect(reader.get_by_text("1 of 1,000 passages stands out")).to_be_visible()
    expect(reader.locator("#p1")).to_be_visible()
    expect(reader.locator("#p2")).to_be_hidden()
    reader.get_by_text("2 more passages within chance").click()
    expect(reader.locator("#p2")).to_be_visible()


def test_nothing_stands_out_is_an_answer(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/nothing")
    expect(reader.get_by_text("Nothing stands out")).to_be_visible()
    expect(reader.locator("#p1")).to_be_hidden()
    reader.get_by_text("3 more passages within chance").click()
    expect(reader.locator("#p1")).to_be_visible()


def test_that_the_model_was_guessing_is_an_answer(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/guessing")
    expect(reader.get_by_text("The model was guessing (0.1 %).")).to_be_visible()
    reader.goto(f"{doubtful}/runs/trackstar/prompts/folding")
    expect(reader.get_by_text("The model was guessing")).to_have_count(0)


def test_how_firm_each_place_is_stands_beside_its_passage(reader: Page, doubtful: str) -> None:
    reader.goto(f"{doubtful}/runs/trackstar/prompts/choosing")
    for rank, words in ((1, "both half-searches"), (2, "one half-search"), (3, "neither half-search")):
        expect(reader.locator(f"#p{rank} .recurs")).to_have_text(f"found by {words}")


def test_a_trace_says_what_is_chance_as_an_example_does(reader: Page, doubtful: str) -> None:
    """The two pages are one: what folds, what stands out, what was a guess, and the same figures in JSON and in files."""
    for name, words in (
        ("folding", "1 of 1,000 passages stands out"),
        ("nothing", "Nothing stands out"),
        ("guessing", "The model was guessing (0.1 %)."),
    ):
        place = f"{doubtful}/traces/{TRACES[name]}"
        reader.goto(place)
        expect(reader.get_by_text(words)).to_be_visible()
        expect(reader.get_by_text("The model was guessing")).to_have_count(1 if name == "guessing" else 0)
        folded = 3 if name == "nothing" else 2
        expect(reader.locator("#p3")).to_be_hidden()
        reader.get_by_text(f"{folded} more passages within chance").click()
        expect(reader.locator("#p3")).to_be_visible()
        twin = reader.request.get(f"{place}.json").json()
        assert (twin["explains"], twin["correct"]) == ("said", None)
        assert (twin["chance_floor"], twin["above_chance"]) == ((0.6, 0) if name == "nothing" else (0.4, 1))
        record = reader.request.get(f"{place}.jsonl").json()
        assert {key: record[key] for key in ("explains", "chance_floor", "above_chance")} == {
            key: twin[key] for key in ("explains", "chance_floor", "above_chance")
        }
        header, first, *_ = reader.request.get(f"{place}.csv").text().splitlines()
        assert ",chance_floor,explains,explained,contrast,correct," in header
        assert f",{twin['chance_floor']},said,Bamako,," in first


def test_a_trace_of_a_contrast_says_what_it_was_ranked_by(reader: Page, doubtful: str) -> None:
    place = f"{doubtful}/traces/{TRACES['rather']}"
    reader.goto(place)
    expect(reader.locator("h1")).to_contain_text("Bamako rather than Kayes")
    expect(
        reader.get_by_text("TrackStar ranks passages by how they make “Bamako” likelier than “Kayes”.")
    ).to_be_visible()
    assert reader.request.get(f"{place}.jsonl").json()["contrast"] == " Kayes"


@pytest.mark.parametrize("name", ["choosing", "nothing"])
def test_on_a_phone_and_for_everyone(phone: Page, doubtful: str, name: str) -> None:
    phone.goto(f"{doubtful}/runs/trackstar/prompts/{name}")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not violations(phone)
