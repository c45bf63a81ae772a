"""AIS scores: how strongly a passage entails a fact, by an entailment model on disk (Bohnet et al. 2022; paper §5.1).

The model is any Hugging Face sequence classifier with a label for entailment; the premise is the passage, the
hypothesis the prompt with its target. Of a passage longer than the model reads, the score is that of its best window.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from app.digests import folder_sha256
from app.errors import UserError
from app.models.hands import Done, Hands
from app.models.load import made_up
from app.store.chunks import chunks
from app.store.engine import Store
from app.store.tables import Passage, Prompt, Result, Retrieved, Run
from app.words.joining import follow

BATCH = 16
LONGEST = 512  # tokens, where the tokenizer does not say
_SENTENCE = re.compile(r"[^.!?…。！？]*(?:[.!?…。！？]+|$)\s*")
Pair = tuple[str, str]
Place = tuple[int, int]  # a result, and a rank of its proponents
Scores = list[tuple[float, str]]


class Entailment:
    """Scores (passage, claim) pairs from 0 to 1.

    Raises:
        UserError: there is no such model, it cannot be loaded whole, or none of its labels is entailment.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        _check_there(path)
        self.path = path
        self.device = torch.device(
            "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
        )
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            self.model, report = AutoModelForSequenceClassification.from_pretrained(
                path, local_files_only=True, output_loading_info=True
            )
        except Exception as error:  # a broken file raises whatever its parser raises
            raise UserError(
                f"It cannot be loaded as a sequence classifier: {next(iter(str(error).splitlines()), error)}",
                file=path,
                remedy="Check that its files are complete and that this transformers version knows the architecture.",
            ) from None
        if absent := made_up(self.model, report):
            raise UserError(
                f"Its weights have no {absent[0]}: it would be made up at random, and every score with it.",
                file=path,
                remedy="Give a model that was trained for natural language inference.",
            )
        self.model.eval().to(self.device)
        labels = {int(at): str(name).casefold() for at, name in self.model.config.id2label.items()}
        self.label = next((at for at, name in labels.items() if re.match(r"entail", name)), -1)
        if self.label < 0:
            raise UserError(
                f"None of the model's labels is entailment: {', '.join(labels.values())}.",
                file=path / "config.json",
                field="id2label",
                remedy="Give a model for natural language inference.",
            )
        self.longest = min(LONGEST, int(self.tokenizer.model_max_length))

    def scores(self, pairs: Sequence[Pair]) -> Scores:
        """Score and best window of each pair, in the order given."""
        parts = [
            (at, window, claim)
            for at, (text, claim) in enumerate(pairs)
            for window in self._windows(text, claim)
        ]
        best: Scores = [(-1.0, "")] * len(pairs)
        order = sorted(range(len(parts)), key=lambda n: len(parts[n][1]))
        for piece in chunks(order, BATCH):
            found = self._probabilities([(parts[n][1], parts[n][2]) for n in piece])
            for n, score in zip(piece, found, strict=True):
                at, window, _ = parts[n]
                best[at] = max(best[at], (score, window))
        return best

    def _windows(self, text: str, claim: str) -> list[str]:
        """The text in runs of whole sentences that fit beside the claim; a longer sentence is cut by the tokenizer."""
        room = self.longest - len(self.tokenizer(claim)["input_ids"]) - 2
        windows, size = [""], 0
        for sentence in _SENTENCE.findall(text):
            length = len(self.tokenizer(sentence, add_special_tokens=False)["input_ids"])
            if windows[-1] and size + length > room:
                windows.append("")
                size = 0
            windows[-1] += sentence
            size += length
        return [window.strip() for window in windows if window.strip()] or [text]

    @torch.no_grad()
    def _probabilities(self, pairs: Sequence[Pair]) -> list[float]:
        inputs = self.tokenizer(
            [premise for premise, _ in pairs],
            [claim for _, claim in pairs],
            padding=True,
            truncation="only_first",
            max_length=self.longest,
            return_tensors="pt",
        )
        logits = self.model(**inputs.to(self.device)).logits.float()
        return logits.softmax(-1)[:, self.label].tolist()


def claim_of(prompt: str, target: str) -> str:
    """The fact as a sentence."""
    return f"{prompt}{follow(prompt, target)}".strip().rstrip(".") + "."


@dataclass(frozen=True)
class EntailmentPlace:
    """Where an entailment model lies on every machine, and which it is.

    Args:
        sha256: of its folder's files.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "EntailmentPlace":
        """Of the model as it is here.

        Raises:
            UserError: there is none.
        """
        _check_there(path)
        return cls(path.resolve(), folder_sha256(path))

    def opened(self, device: str) -> Entailment:
        """The model as this machine has it.

        Raises:
            UserError: there is another one at this place, or none.
        """
        if EntailmentPlace.of(self.path).sha256 != self.sha256:
            raise UserError(
                f"The entailment model {self.path} here is another than the one that is worked with.",
                field="ais",
                remedy="Put the same model at the same place on every machine.",
            )
        return Entailment(self.path, device=device)


@dataclass(frozen=True)
class PairScores:
    """What `Entailment.scores` says of pairs; see `app.models.hands.Work`."""

    def begin(self, model: Entailment, /) -> Callable[[Sequence[Pair], Done], Scores]:
        """See `app.models.hands.Work.begin`."""
        return lambda pairs, done: model.scores(pairs)


def score_run(
    store: Store,
    run: Run,
    name: str,
    hands: Hands[Entailment],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Give an AIS score to every proponent of the run's facts that has none; returns how many. Resumes.

    Args:
        name: of the model. hands: who scores with it; what is scored together depends on what has no score alone.
    """
    with store.session() as session:
        todo = list(
            session.execute(
                select(Retrieved.result_id, Retrieved.rank)
                .join(Result, Result.id == Retrieved.result_id)
                .join(Prompt, Prompt.id == Result.prompt_id)
                .where(Result.run_id == run.id, Prompt.task == "fact")
                .where(Retrieved.side == "proponent", Retrieved.ais_score.is_(None))
                .order_by(Retrieved.result_id, Retrieved.rank)
            )
        )
        session.get_one(Run, run.id).metrics = {**run.metrics, "ais_model": name}
    by_result: dict[int, list[int]] = {}
    for result, rank in todo:
        by_result.setdefault(result, []).append(rank)
    handed_out: deque[list[Place]] = deque()

    def pieces() -> Iterator[list[Pair]]:
        for piece in chunks(by_result.items(), BATCH):
            with store.session() as session:
                places, pairs = _asked(session, dict(piece))
            handed_out.append(places)
            yield pairs

    done = 0
    for scored in hands.each(PairScores(), pieces()):
        places = handed_out.popleft()
        with store.session() as session:
            _save(session, places, scored)
        done += len(places)
        if progress:
            progress(done, len(todo))
    return done


def _asked(session: Session, ranks: Mapping[int, Sequence[int]]) -> tuple[list[Place], list[Pair]]:
    """The proponents of these ranks of results, and what is scored of each."""
    query = (
        select(Retrieved.result_id, Retrieved.rank, Passage.text, Prompt.text, Prompt.target)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .join(Result, Result.id == Retrieved.result_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .where(Retrieved.result_id.in_(ranks), Retrieved.side == "proponent")
        .order_by(Retrieved.result_id, Retrieved.rank)
    )
    rows = [row for row in session.execute(query) if row[1] in ranks[row[0]]]
    return (
        [(result, rank) for result, rank, *_ in rows],
        [(text, claim_of(prompt, target)) for _, _, text, prompt, target in rows],
    )


def _save(session: Session, places: Sequence[Place], scored: Scores) -> None:
    """Each proponent's score and window, and of each result the best score."""
    values: list[dict[str, Any]] = [
        {"result_id": result, "side": "proponent", "rank": rank, "ais_score": score, "ais_window": window}
        for (result, rank), (score, window) in zip(places, scored, strict=True)
    ]
    session.execute(update(Retrieved), values)
    best = (
        select(func.max(Retrieved.ais_score))
        .where(Retrieved.result_id == Result.id, Retrieved.side == "proponent")
        .scalar_subquery()
    )
    results = {result for result, _ in places}
    session.execute(update(Result).where(Result.id.in_(results)).values(best_ais=best))


def _check_there(path: Path) -> None:
    if not (path / "config.json").is_file():
        raise UserError(
            "There is no entailment model here.",
            file=path,
            remedy="Put a Hugging Face sequence classifier there, or set STARTRAIL_ENTAILMENT_MODEL to another.",
        )
