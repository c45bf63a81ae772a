"""What pages ask for stands in columns after an import, whatever names the file used."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.evaluation.judged import judged_prompts
from app.interchange.results import Destination, export_results, import_results
from app.interchange.results_match import guess_task
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.full_text import search_passages
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Corpus, Output, Passage, Prompt, PromptSet, Result, Retrieved, Run
from app.words.file_names import method_in
from tests.support.paper_records import OLD_NAMES, paper_record, write


@pytest.mark.parametrize("old", [False, True])
def test_fields_stand_in_columns_under_new_and_old_names(store: Store, tmp_path: Path, old: bool) -> None:
    record = paper_record(groundtruth="Lyon")
    if old:
        record = {OLD_NAMES.get(name, name): value for name, value in record.items()}
    with store.session() as session:
        import_results(session, write(tmp_path / "a.jsonl", [record]), run="a")
    with store.session() as session:
        prompt, output = session.scalars(select(Prompt)).one(), session.scalars(select(Output)).one()
        assert (prompt.task, prompt.relation, prompt.frequency, prompt.frequency_bucket, prompt.stated) == (
            "fact", "place of birth", 212481, 5, True,
        )  # fmt: skip
        assert prompt.external_id == "trex_groundtruth:000000000000000"
        assert (prompt.target, prompt.ground_truth) == ("Paris", "Lyon")
        assert (output.answer, output.correct, output.confidence) == ("Paris", True, 0.5)
        assert output.samples == ["Paris", "Paris", "Lyons"]
        result = session.scalars(select(Result)).one()
        assert (result.top_score, result.first_correct_rank, result.best_ais) == (0.0504, 2, 0.9883)
        assert result.extra.get("query_set") == "trex"
        rows = session.scalars(select(Retrieved).order_by(Retrieved.side.desc(), Retrieved.rank)).all()
        assert [(row.side, row.rank, row.score, row.original_rank) for row in rows] == [
            ("proponent", 1, 0.0504, 0), ("proponent", 2, 0.0501, 1), ("proponent", 3, 0.0499, 7),
            ("opponent", 1, -0.02, None),
        ]  # fmt: skip
        assert [row.ais_window for row in rows] == ["born in Paris", None, "Paris", None]


def test_a_second_file_fills_in_what_the_first_did_not_say(store: Store, tmp_path: Path) -> None:
    bare = {"example_id": "x", "inputs_plaintext": "q", "targets_plaintext": "a"}
    told = bare | {"relation": "capital", "is_8b_correct": False, "8b_generations": ["b"]}
    with store.session() as session:
        for name, record in (("bare", bare), ("told", told), ("again", bare)):
            import_results(session, write(tmp_path / f"{name}.jsonl", [record]), run=name)
        assert session.scalars(select(Prompt.relation)).all() == ["capital"]
        assert [(o.correct, o.samples) for o in session.scalars(select(Output))] == [(False, ["b"])]


def test_results_can_be_tied_to_a_corpus_and_prompts_added_before(store: Store, tmp_path: Path) -> None:
    """Then its passages are the corpus's own, and neither corpus nor prompts grow; texts may be left out."""
    record = {
        "example_id": "p1", "inputs_plaintext": "The capital of Ghana is", "targets_plaintext": "Accra",
        "proponent_ids": ["b", "a"], "proponent_scores": [2.0, 1.0],
    }  # fmt: skip
    with store.session() as session:
        corpus = add_corpus(session, "world", [PassageRecord("a", "Accra."), PassageRecord("b", "Ghana.")])
        add_prompts(
            session, "questions", [PromptRecord("p1", "The capital of Ghana is", "Accra")], corpus=corpus
        )
        run = import_results(
            session,
            write(tmp_path / "a.jsonl", [record]),
            run="mine",
            into=Destination("questions", "world", "m", "bm25"),
        )
        assert (run.corpus_id, run.method, run.model.name) == (corpus.id, "bm25", "m")
        found = session.scalars(select(Passage.external_id).join(Retrieved).order_by(Retrieved.rank)).all()
        assert found == ["b", "a"]
        assert (corpus.passage_count, session.query(Prompt).count()) == (2, 1)


@pytest.mark.parametrize("said", [None, [None, None, False]])
def test_passages_that_a_file_does_not_judge_are_judged_by_the_statements(
    store: Store, tmp_path: Path, said: list[bool | None] | None
) -> None:
    """A file without judgements had an MRR of 0 over prompts whose statements are known; it still comes back equal."""
    record = {
        "example_id": "p1", "inputs_plaintext": "The capital of Ghana is", "targets_plaintext": "Accra",
        "proponents": ["Ghana.", "Accra is Ghana's.", "Accra, Ghana"], "proponent_ids": ["b", "a", "c"],
        **({"proponent_correct": said} if said else {}),
    }  # fmt: skip
    with store.session() as session:
        texts = {"a": "Accra is Ghana's.", "b": "Ghana.", "c": "Accra, Ghana"}
        corpus = add_corpus(session, "world", [PassageRecord(*each) for each in texts.items()])
        asked = PromptRecord("p1", "The capital of Ghana is", "Accra", stated_by=["a", "c"])
        add_prompts(session, "questions", [asked], corpus=corpus)
        made = {}
        for name, texts_of in (("world", "world"), ("elsewhere", "imported")):
            into = Destination("questions", texts_of, "m", "bm25")
            made[name] = import_results(session, write(tmp_path / "a.jsonl", [record]), run=name, into=into)
        judged = {name: next(judged_prompts(session, run)) for name, run in made.items()}
        assert judged["world"].correct == [False, True, not said]
        assert (judged["world"].judgeable, judged["world"].relevant) == (True, 2)
        assert judged["elsewhere"].judgeable is bool(said)
        first = select(Result.first_correct_rank).where(Result.run_id == made["world"].id)
        assert session.scalar(first) == 2
        assert list(export_results(session, made["world"])) == [record]


def test_new_passages_are_found_by_their_words(store: Store, tmp_path: Path) -> None:
    with store.session() as session:
        import_results(session, write(tmp_path / "a.jsonl", [paper_record()]), run="a")
    with store.session() as session:
        assert [p.external_id for p in search_passages(session, "mural")] == ["c4:mural"]


def test_an_imported_corpus_counts_what_it_has(store: Store, tmp_path: Path) -> None:
    with store.session() as session:
        import_results(session, write(tmp_path / "a.jsonl", [paper_record(n) for n in range(5)]), run="a")
        import_results(session, write(tmp_path / "b.jsonl", [paper_record(n) for n in range(7)]), run="b")
        corpus = session.scalars(select(Corpus)).one()
        positions = sorted(session.scalars(select(Passage.position)))
        assert corpus.passage_count == len(positions) == 7 + 3
        assert positions == list(range(10))
        assert session.scalars(select(PromptSet.name)).all() == ["imported"]
        assert [(run.slug, run.prompt_count) for run in session.scalars(select(Run).order_by(Run.id))] == [
            ("a", 5), ("b", 7),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "method"),
    [
        ("c4_trex_retrievals_trackstar.jsonl", "trackstar"), ("trex_retrievals_bm25.jsonl.gz", "bm25"),
        ("c4_trex_retrievals_grad_dot.jsonl", "gradient-dot"), ("trex_retrievals_exp3.jsonl", "exp3"),
        ("trex_retrievals_trak.jsonl", "trak"), ("mine.jsonl", "imported"),
    ],
)  # fmt: skip
def test_the_papers_file_names_tell_their_method(file: str, method: str) -> None:
    assert method_in(file) == method


@pytest.mark.parametrize(
    ("record", "file", "task"),
    [
        ({"example_id": "trex_groundtruth:1"}, "a.jsonl", "fact"),
        ({"query_set": "copa"}, "trex.jsonl", "commonsense"),
        ({"task": "word_problem"}, "a.jsonl", "arithmetic"),
        ({}, "c4_storygeneration_retrievals_trackstar_nontaskspecific.jsonl", "open_ended"),
        ({}, "c4_arithmeticwordproblem_retrievals_trackstar_nontaskspecific.jsonl", "arithmetic"),
        ({"relation": "P19"}, "a.jsonl", "fact"),
        ({}, "a.jsonl", "open_ended"),
    ],
)
def test_a_task_is_told_from_the_record_then_the_file_then_its_fields(
    record: dict[str, Any], file: str, task: str
) -> None:
    assert guess_task(record, file) == task
