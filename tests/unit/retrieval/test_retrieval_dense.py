"""Dense retrieval: embeddings of a real sentence-transformers model, as small as one can be, saved on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from asking import made_home, passages, put_corpus, settings_of, worker_of
from sentence_transformers import SentenceTransformer
from sentence_transformers import models as parts
from sqlalchemy import select
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from app.errors import UserError
from app.retrieval.dense import Dense
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Retrieved
from app.store.traces import find
from app.tracing.asking import ask
from app.tracing.questions import Question
from app.tracing.retrieve import open_task, retrieve

TEXTS = ["the capital of Mali is Bamako", "owls sing at night", "two and two make four", "a river in Togo"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: near texts are those that share words, which is all these tests need."""
    place = tmp_path_factory.mktemp("dense")
    words = sorted({word for text in [*TEXTS, *(text for _, text in passages())] for word in text.split()})
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(place / "bert")
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        )
    ).save_pretrained(place / "bert")
    inner = parts.Transformer(str(place / "bert"))
    made = SentenceTransformer(
        modules=[inner, parts.Pooling(32)], device="cpu"
    )
    made.save(str(place / "tiny"))
    return place / "tiny"


def test_a_text_is_nearest_to_itself_with_cosine_one(model: Path, tmp_path: Path) -> None:
    scores, rows = Dense.open(model, TEXTS, tmp_path).search(TEXTS, 4)
    assert rows[:, 0].tolist() == [0, 1, 2, 3]
    assert scores[:, 0] == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(scores, axis=1) <= 1e-6).all(), "best first"


def test_a_corpus_is_embedded_once_for_each_model(model: Path, tmp_path: Path) -> None:
    """A worker that starts again does not embed a million passages again."""
    told: list[int] = []
    first = Dense.open(model, TEXTS, tmp_path, progress=lambda done, total: told.append(done))
    again = Dense.open(model, TEXTS, tmp_path, progress=lambda done, total: told.append(done))
    assert told == [4]
    assert len(list(tmp_path.glob("dense-*.npy"))) == 1
    for mine, theirs in zip(first.search(["a river"], 2), again.search(["a river"], 2), strict=True):
        assert mine.tolist() == theirs.tolist()


def test_fewer_passages_than_asked_for_are_no_hits(model: Path, tmp_path: Path) -> None:
    assert Dense.open(model, TEXTS[:2], tmp_path).search(["owls"], 3)[1][0, 2] == -1


def test_a_directory_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sentence-transformers model") as caught:
        Dense.open(tmp_path, TEXTS, tmp_path)
    assert str(tmp_path) in str(caught.value.file)
    assert "STARTRAIL_DENSE_MODEL" in caught.value.remedy


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_dense_becomes_a_run_with_its_configuration(store: Store, database_url: str, model: Path) -> None:
    put_corpus(store)
    with store.session() as session:
        records = [PromptRecord("one", "The capital of Mali is", "Bamako")]
        add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))
        task = open_task(session, settings_of(made_home(), database_url), "demo", "asked")
        with pytest.raises(UserError, match="No model for dense"):
            retrieve(session, task, "dense", slug="dense")
        run = retrieve(session, task, "dense", slug="dense", k=5, dense_model=model)
        found = session.scalars(select(Retrieved.score).order_by(Retrieved.rank)).all()
    assert run.configuration["model"] == "tiny"
    assert len(run.configuration["model_sha256"]) == 64
    assert len(found) == 5
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_trace_answers_by_meaning_too(store: Store, database_url: str, model: Path) -> None:
    """Where the site has a model, the same question goes to TrackStar, BM25 and dense in one page."""
    put_corpus(store)
    settings = settings_of(made_home(), database_url, dense_model=model)
    worker = worker_of(settings, store)
    with store.session() as session:
        id_ = ask(
            session, settings, Question(prompt="The capital of Mali is", completion="Bamako", k=4)
        ).trace.id
    assert worker.step() == 1
    worker.close()
    with store.session() as session:
        result = find(session, id_).result
    assert result is not None
    assert list(result["rankings"]) == ["trackstar", "bm25", "dense"]
    assert [hit["rank"] for hit in result["rankings"]["dense"]["proponents"]] == [1, 2, 3, 4]
