"""Dense retrieval: embeddings of a real sentence-transformers model, as small as one can be, saved on disk."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers import models as parts
from sqlalchemy import select
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

from app.cli.main import app
from app.errors import UserError
from app.retrieval.dense import Dense
from app.runs.inputs import open_inputs
from app.runs.retrieve import retrieve
from app.runs.retrieving import retrieve_set
from app.settings import get_settings
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.models import NO_MODEL
from app.store.prompts import PromptRecord, add_prompts
from app.store.runs import get_run
from app.store.tables import Retrieved
from app.store.work_tables import Trace
from app.tracing.asking import ask
from app.tracing.questions import Question
from app.words.methods import rankers
from tests.support.asking import made_home, passages, put_corpus, settings_of, worker_of

pytestmark = pytest.mark.slow

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
    made = SentenceTransformer(modules=[inner, parts.Pooling(32)], device="cpu")
    made.save(str(place / "tiny"))
    return place / "tiny"


def opened(model: Path, keep: Path, texts: list[str] = TEXTS, told: list[int] | None = None) -> Dense:
    def progress(done: int, total: int) -> None:
        if told is not None:
            told.append(done)

    return Dense.open(model, iter(texts), len(texts), keep, progress=progress)


def test_scores_are_cosines_of_mean_token_states(model: Path, tmp_path: Path) -> None:
    """By hand, without sentence-transformers: each text alone, its token states averaged, two unit vectors."""
    tokenizer, bert = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()

    def embedded(text: str) -> torch.Tensor:
        with torch.no_grad():
            states = bert(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        return torch.nn.functional.normalize(states.mean(0), dim=0)

    scores, rows = opened(model, tmp_path).search(["a river in Mali", "owls"], 4)
    for query, own, found in zip(["a river in Mali", "owls"], scores, rows, strict=True):
        wanted = torch.stack([embedded(text) for text in TEXTS]) @ embedded(query)
        assert found.tolist() == wanted.argsort(descending=True).tolist()
        assert own == pytest.approx(wanted.sort(descending=True).values.numpy(), abs=1e-5)


def test_a_corpus_is_embedded_once_for_each_model(model: Path, tmp_path: Path) -> None:
    """A worker that starts again does not embed a million passages again, and does not read them either."""
    told: list[int] = []
    first = opened(model, tmp_path, told=told)
    again = Dense.open(model, (pytest.fail("read again") for _ in range(4)), 4, tmp_path)
    assert told == [4]
    assert len(list(tmp_path.iterdir())) == 1
    for mine, theirs in zip(first.search(["a river"], 2), again.search(["a river"], 2), strict=True):
        assert mine.tolist() == theirs.tolist()


def test_a_model_that_pools_otherwise_is_another_model(model: Path, tmp_path: Path) -> None:
    """Weights alone do not make an embedding: with other pooling the kept ones would be silently wrong."""
    other = tmp_path / "other"
    shutil.copytree(model, other)
    (file,) = other.glob("*Pooling/config.json")
    file.write_text(json.dumps({"embedding_dimension": 32, "pooling_mode": "cls"}))
    mean, cls = opened(model, tmp_path), opened(other, tmp_path)
    assert mean.about["model_sha256"] != cls.about["model_sha256"]
    assert len(list(tmp_path.glob("dense-*.npy"))) == 2
    assert mean.search(["a river"], 4)[0].tolist() != cls.search(["a river"], 4)[0].tolist()


@pytest.mark.parametrize("kept", [b"rubbish", b""], ids=["rubbish", "cut short"])
def test_embeddings_damaged_on_disk_are_made_again(model: Path, tmp_path: Path, kept: bytes) -> None:
    want = opened(model, tmp_path).search(["owls"], 4)[1].tolist()
    (file,) = tmp_path.glob("dense-*.npy")
    file.write_bytes(kept)
    assert opened(model, tmp_path).search(["owls"], 4)[1].tolist() == want
    assert opened(model, tmp_path, TEXTS[:2]).search(["owls"], 1)[1].tolist() == [[1]], "of another corpus"


def test_blank_passages_are_never_found_and_ties_stand_in_row_order(model: Path, tmp_path: Path) -> None:
    """As with every other method; fewer hits than asked for are row -1."""
    texts = ["", TEXTS[1], " \n", TEXTS[0], TEXTS[1]]
    assert opened(model, tmp_path, texts).search([TEXTS[1]], 5)[1].tolist() == [[1, 4, 3, -1, -1]]


def test_what_is_no_model_is_named(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, message in ((tmp_path / "nowhere", "no such directory"), (tmp_path, r"no modules\.json")):
        with pytest.raises(UserError, match=message) as caught:
            opened(path, tmp_path)
        assert caught.value.file == str(path)
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    (broken / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(UserError, match="cannot be loaded"):
        opened(broken, tmp_path)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match=r"not installed.*pip install 'startrail\[dense\]'"):
        opened(model, tmp_path)
    assert not list(tmp_path.glob("*dense*"))


@pytest.mark.parametrize("command", ["retrieve", "ablate"])
def test_commands_refuse_a_missing_model_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """One line and exit code 2, before the model answers a thousand prompts; no store is made."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    method = ["--method", "dense"] if command == "retrieve" else []
    asked = [command, "demo", "--prompts", "asked", *method, "--dense-model", str(tmp_path / "nowhere")]
    result = CliRunner().invoke(app, asked)
    unset = CliRunner().invoke(app, ["retrieve", "demo", "--prompts", "asked", "--method", "dense"])
    get_settings.cache_clear()
    assert (result.exit_code, unset.exit_code) == (2, 2)
    assert f"{tmp_path / 'nowhere'}, field dense_model: There is no sentence-transformers" in result.output
    assert "Give --dense-model or STARTRAIL_DENSE_MODEL" in unset.output
    assert "Traceback" not in result.output + unset.output
    assert not (tmp_path / "home").exists()


def test_ablate_names_every_method_it_makes_a_run_of() -> None:
    """A method that is added to the registry is made, and named here, without another word."""
    shown = " ".join(CliRunner().invoke(app, ["ablate", "--help"], env={"COLUMNS": "400"}).output.split())
    made = [method for method in rankers() if method.encoding is not None or method.kind != "gradient"]
    assert len(made) > 8
    for method in made:  # all but those that re-rank another method's candidates
        assert method.label in shown


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_dense_becomes_a_run_with_its_configuration(store: Store, database_url: str, model: Path) -> None:
    put_corpus(store)
    with store.session() as session:
        records = [PromptRecord("one", "The capital of Mali is", "Bamako")]
        add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))
        task = open_inputs(session, settings_of(made_home(), database_url), "demo", "asked")
        with pytest.raises(UserError, match="No model for dense"):
            retrieve(session, task, "dense", slug="dense")
        run = retrieve(session, task, "dense", slug="dense", k=5, dense_model=model)
        found = session.scalars(select(Retrieved.score).order_by(Retrieved.rank)).all()
    assert run.configuration["model"] == "tiny"
    assert len(run.configuration["model_sha256"]) == 64
    assert len(found) == 5
    assert found == sorted(filter(None, found), reverse=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_corpus_is_ranked_by_meaning_where_there_is_no_index(
    store: Store, database_url: str, model: Path, tmp_path: Path
) -> None:
    """A home of texts alone: nothing is asked of a language model, and no embedding is kept in a folder that is not there."""
    put_corpus(store)
    with store.session() as session:
        add_prompts(session, "asked", [PromptRecord("one", "The capital of Mali is", "Bamako")])
    settings = settings_of(tmp_path / "home", database_url, dense_model=model)
    made = retrieve_set(settings, store, "", "asked", "dense", corpus="demo", k=5)
    assert made.runs == ["demo-dense"]
    with store.session() as session:
        found = session.scalars(select(Retrieved.score).order_by(Retrieved.rank)).all()
        run = get_run(session, "demo-dense")
        assert (run.model.name, run.configuration["model"]) == (NO_MODEL, "tiny")
    assert len(found) == 5
    assert found == sorted(filter(None, found), reverse=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_trace_answers_by_meaning_too(store: Store, database_url: str, model: Path) -> None:
    """Where the site has a model, the same question goes to TrackStar, BM25 and dense in one page."""
    put_corpus(store)
    settings = settings_of(made_home(), database_url, dense_model=model)
    question = Question(prompt="The capital of Mali is", completion="Bamako", k=4)
    with store.session() as session:
        id_ = ask(session, settings, question).job.id
    with worker_of(settings, store) as worker:
        assert worker.step() == 1
    with store.session() as session:
        result = session.get_one(Trace, id_).result
    assert list(result["rankings"]) == ["trackstar", "bm25", "dense"]
    assert [hit["rank"] for hit in result["rankings"]["dense"]["proponents"]] == [1, 2, 3, 4]
