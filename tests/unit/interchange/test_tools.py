"""Scores of other tools stand beside ours, to the bit; what does not fit, or was never computed, is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.interchange.results import Destination, export_results, import_results
from app.interchange.tools import TOOLS, tool_for
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.runs import get_run

QUERIES, PASSAGES = 5, 23
SCORES = np.random.default_rng(3).standard_normal((QUERIES, PASSAGES)).astype(np.float32)
SCORES[0, :4] = 9.5  # ties: the order of the corpus decides


def put_texts(session: Session, queries: int = QUERIES, passages: int = PASSAGES) -> None:
    corpus = add_corpus(session, "c", [PassageRecord(f"p{n}", f"Passage {n}.") for n in range(passages)])
    add_prompts(
        session, "q", [PromptRecord(f"q{n}", f"Query {n} is", "x") for n in range(queries)], corpus=corpus
    )


def bergson(path: Path, scores: np.ndarray = SCORES, **changes: Any) -> Path:
    """A folder as bergson 0.2 writes it: structured rows of a score and whether it was written."""
    queries, count = scores.shape
    fields = [
        (f"{name}_{at}", kind) for at in range(queries) for name, kind in (("score", "<f4"), ("written", "?"))
    ]
    names, kinds = zip(*fields, strict=True)
    offsets = [at * 8 + 4 * part for at in range(queries) for part in (0, 1)]
    layout = {"names": list(names), "formats": list(kinds), "offsets": offsets, "itemsize": queries * 8}
    rows: Any = np.zeros(count, np.dtype(layout))  # type: ignore[call-overload]  # a list of fields is a layout
    for at in range(queries):
        rows[f"score_{at}"], rows[f"written_{at}"] = scores[at], True
    if changes.pop("unwritten", False):
        rows["written_1"][3:5] = False
    path.mkdir()
    info = {
        "num_items": count,
        "num_rows": count,
        "num_scores": queries,
        "dtype": layout,
        "attribute_tokens": False,
    }
    (path / "info.json").write_text(json.dumps(info | changes))
    (path / "scores.bin").write_bytes(rows.tobytes())
    return path


def kronfluence(path: Path, modules: dict[str, np.ndarray] | None = None) -> Path:
    marks = {"compute_per_module_scores": str(modules is not None), "compute_per_token_scores": "False"}
    save_file(modules or {"all_modules": SCORES}, path, metadata=marks)
    return path


def npy(path: Path) -> Path:
    with path.open("wb") as file:
        np.save(file, SCORES)
    return path


def transposed(path: Path) -> Path:
    save_file({"scores": np.ascontiguousarray(SCORES.T)}, path)
    return path


def tensor(path: Path) -> Path:
    """dattri's: passages by queries, and a view of something larger at that."""
    padded = torch.zeros(PASSAGES + 2, QUERIES)
    padded[1:-1] = torch.from_numpy(SCORES.T.copy())
    torch.save(padded[1:-1], path)
    return path


def named_tensor(path: Path) -> Path:
    torch.save({"scores": torch.from_numpy(SCORES), "ids": torch.arange(3)}, path)
    return path


WAYS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "bergson": (bergson, "bergson"),
    "kronfluence": (kronfluence, "kronfluence"),
    "numpy": (npy, "matrix"),
    "safetensors, passages first": (transposed, "matrix"),
    "a tensor, passages first": (tensor, "matrix"),
    "a dictionary of tensors": (named_tensor, "matrix"),
}


@pytest.mark.parametrize("way", WAYS)
def test_scores_of_every_tool_come_in_to_the_bit(store: Store, tmp_path: Path, way: str) -> None:
    write, method = WAYS[way]
    path = write(tmp_path / "scores")
    with store.session() as session:
        put_texts(session)
        run = import_results(session, path, run="theirs", into=Destination("q", "c"), k=7)
        assert (run.method, run.prompt_count) == (method, QUERIES)
    with store.session() as session:
        records = list(export_results(session, get_run(session, "theirs")))
    assert records[0]["proponent_ids"][:4] == ["p0", "p1", "p2", "p3"]
    for row, record in zip(SCORES, records, strict=True):
        best = np.argsort(-row, kind="stable")[:7]
        assert record["proponent_ids"] == [f"p{at}" for at in best]
        assert record["proponent_scores"] == [float(row[at]) for at in best]
        worst = [at for at in np.argsort(row, kind="stable")[:10] if row[at] < 0]
        assert record["opponent_ids"] == [f"p{at}" for at in worst]


def test_scores_of_modules_and_tokens_add_up(store: Store, tmp_path: Path) -> None:
    parts = np.random.default_rng(0).standard_normal((2, QUERIES, PASSAGES, 6)).astype(np.float32)
    path = kronfluence(tmp_path / "pairwise_scores.safetensors", {"a": parts[0], "b": parts[1]})
    with store.session() as session:
        put_texts(session)
        import_results(session, path.parent, run="theirs", into=Destination("q", "c"), k=1)
    whole = parts.astype(np.float64).sum(axis=(0, 3))
    with store.session() as session:
        for row, record in zip(whole, export_results(session, get_run(session, "theirs")), strict=True):
            assert record["proponent_ids"] == [f"p{row.argmax()}"]
            assert record["proponent_scores"] == pytest.approx([row.max()], rel=1e-12)


def test_bfloat16_is_read_as_it_is(store: Store, tmp_path: Path) -> None:
    half = torch.from_numpy(SCORES).to(torch.bfloat16)
    torch.save(half, tmp_path / "scores.pt")
    with store.session() as session:
        put_texts(session)
        import_results(session, tmp_path / "scores.pt", run="theirs", into=Destination("q", "c"), k=1)
        record = next(export_results(session, get_run(session, "theirs")))
    assert record["proponent_scores"] == [half[0].max().item()]


def test_a_table_of_queries_brings_its_own_texts(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "query.csv"
    path.write_text(
        "query,direction,result,result_index,score\n"
        'Accra is in,highest,"Accra, in Ghana.",17,0.5\n'
        "Accra is in,lowest,A goat.,3,-0.25\n"
        "Lima is in,highest,Lima lies in Peru.,4,0.75\n"
    )
    with store.session() as session:
        run = import_results(session, path, run="asked")
        assert (run.method, run.prompt_count) == ("bergson", 2)
        first = next(export_results(session, run))
    assert (first["proponents"], first["proponent_ids"], first["proponent_scores"]) == (
        ["Accra, in Ghana."],
        ["17"],
        [0.5],
    )
    assert (first["opponents"], first["opponent_scores"]) == (["A goat."], [-0.25])


def evil(path: Path) -> Path:
    """A file that would run a command if it were simply unpickled."""

    class Command:
        def __reduce__(self) -> Any:
            return (__import__("os").system, (f"touch {path}.ran",))

    torch.save(Command(), path)
    return path


def with_nan(path: Path) -> Path:
    scores = SCORES.copy()
    scores[2, 4] = np.nan
    with path.open("wb") as file:  # whose name has no ending
        np.save(file, scores)
    return path


def two(path: Path) -> Path:
    save_file({"train": SCORES, "test": SCORES}, path)
    return path


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: bergson(path, unwritten=True), "2 of 23 scores of query 2 were never written"),
        (lambda path: bergson(path, attribute_tokens=True), "of tokens, not of passages"),
        (lambda path: bergson(path, num_scores=9), "score_5"),
        (lambda path: bergson(path, num_rows=999), "layout"),
        (lambda path: bergson(path, SCORES[:3]), r"23×3; there are 5 prompts and 23 passages"),
        (with_nan, "passage 5 for query 3 is nan"),
        (two, "2 matrices: “test”, “train”"),
        (evil, "which is no tensor"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    store: Store, tmp_path: Path, write: Callable[[Path], Path], said: str
) -> None:
    path = write(tmp_path / "scores")
    with store.session() as session:
        put_texts(session)
    with pytest.raises(UserError, match=said), store.session() as session:
        import_results(session, path, run="theirs", into=Destination("q", "c"))
    assert not (tmp_path / "scores.ran").exists()


def test_where_both_ways_round_fit_the_user_says_which(store: Store, tmp_path: Path) -> None:
    """A square matrix read the wrong way round would look like any other."""
    square = SCORES[:, :QUERIES]
    np.save(tmp_path / "square.npy", square)
    with store.session() as session:
        put_texts(session, passages=QUERIES)
    with pytest.raises(UserError, match="which are the rows"), store.session() as session:
        import_results(session, tmp_path / "square.npy", run="a", into=Destination("q", "c"))
    for rows, matrix in (("queries", square), ("passages", square.T)):
        with store.session() as session:
            run = import_results(
                session, tmp_path / "square.npy", run=rows, into=Destination("q", "c"), rows=rows, k=1
            )
            record = next(export_results(session, run))
        assert record["proponent_scores"] == [float(matrix[0].max())]


def test_every_tool_is_tried(tmp_path: Path) -> None:
    assert {tool.method for tool in TOOLS} == {method for _, method in WAYS.values()} | {
        "olmotrace",
        "infini-gram",
    }


OLMO = {  # as infini-gram's API answers `POST /dolma-v1_7/attribution`; the texts are ours
    "index": "olmo-2-0325-32b",
    "inputTokens": ["The", " Volta", " flows", " through", " Ghana", " into", " the", " sea", "."],
    "spans": [
        {"left": 1, "right": 5, "length": 4, "count": 2, "unigramLogprobSum": -31.5, "text": " Volta flows through Ghana",
         "tokenIds": [650, 24, 7, 88], "documents": [
             {"documentIndex": 71, "documentLength": 900, "displayLength": 40, "needleOffset": 2, "metadata": {"path": "wiki"},
              "tokenIds": [1], "text": "South of Burkina Faso the Volta flows through Ghana.", "blocked": False,
              "displayLengthLong": 80, "needleOffsetLong": 9, "textLong": "…", "displayOffsetSnippet": 0,
              "needleOffsetSnippet": 0, "textSnippet": "…"},
             {"documentIndex": 9, "metadata": {}, "text": "What flows through Ghana? The Volta flows through Ghana."}]},
        {"left": 5, "right": 8, "length": 3, "count": 1, "unigramLogprobSum": -12.0, "text": " into the sea", "tokenIds": [5],
         "documents": [{"documentIndex": 71, "metadata": {"path": "wiki"},
                        "text": "South of Burkina Faso the Volta flows through Ghana."}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
def test_what_olmotrace_found_comes_in_as_spans_and_without_a_score(
    store: Store, tmp_path: Path, indent: int | None
) -> None:
    """Word for word is not influence: no number is made up for it, and the method says what it is."""
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(OLMO, indent=indent))
    with store.session() as session:
        run = import_results(session, path, run="looked-up")
        assert (run.method, run.prompt_count) == ("olmotrace", 1)
        record = next(export_results(session, run))
    assert record["targets_plaintext"] == "The Volta flows through Ghana into the sea."
    assert record["proponent_ids"] == ["olmo-2-0325-32b:71", "olmo-2-0325-32b:9"]
    assert record["olmotrace_spans"] == [
        [" Volta flows through Ghana", " into the sea"],
        [" Volta flows through Ghana"],
    ]
    assert record["olmotrace_metadata"] == [{"path": "wiki"}, {}]
    assert not [name for name in record if "score" in name]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputTokens": None}, r"inputTokens.*includeInputAsTokens"),
        (
            {"spans": [{"left": 0, "right": 1, "documents": [{"shard": 0, "pointer": 7}]}]},
            "includeDocuments",
        ),
        ({"spans": [3]}, "no attribution"),
    ],
)
def test_an_answer_that_lacks_its_texts_is_refused(
    store: Store, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(OLMO | changes))
    with pytest.raises(UserError, match=said), store.session() as session:
        import_results(session, path, run="looked-up", form="olmotrace")


@pytest.mark.parametrize("name", [tool.name for tool in TOOLS])
def test_a_path_that_leads_nowhere_is_named_whatever_the_tool(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match=r"nowhere: There is no such file"):
        tool_for(tmp_path / "nowhere", name)
