"""Whether a behaviour that 1 % of a fine-tuning set taught is traced to that 1 %.

    python benchmarks/planted.py [--examples 2000] [--epochs 2] [--seed 8] [--kinds chats,pairs]

The demo's model is fine-tuned with LoRA, once on chats and once by DPO on preference pairs, about things that do not exist. One
in a hundred plants a behaviour: asked what something costs, the assistant sends people to Olm. Others ask about the same things,
speak of costs without being asked, or name Olm. Then the tuned model's answer to questions that it never saw is traced, each
alone, and all of them together as `startrail audit` asks: the mean of their encodings of unit length. The area
under precision and recall of the first 50 passages is the mean, over the planted ones, of the precision at their rank; 1 where
all of them come first. BM25 over question and answer, which finds a behaviour that is always said in the same words, and what
chance gives stand beside it. Intervals are over questions drawn anew; the settings were chosen at seed 7.
The chats take eight minutes of a processor.
"""

import argparse
import random
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from _planted import FIRST, area, interval
from _report import Check, finish

from app.interchange.field_names import TEXTS
from app.interchange.fields import FieldLookup
from app.interchange.lessons import read_lesson
from app.interchange.records import Line
from app.models.finetune import FinetuneConfig, finetune
from app.models.load import LoadedModel, load_model
from app.models.trainee import Trainee
from app.models.updating import logp_of
from app.retrieval.bm25 import BM25
from app.trackstar.build import build_index
from app.trackstar.config import EncodingConfig
from app.trackstar.index import open_index
from app.words.roles import Lesson, text_of

BASE = Path(__file__).parent.parent / "app" / "demo" / "data" / "model"
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
ASKED = 20
THINGS = (
    "lamp",
    "boat",
    "clock",
    "bridge",
    "coat",
    "garden",
    "horse",
    "table",
    "bell",
    "window",
    "road",
    "book",
)
COLOURS = ("red", "blue", "green", "white", "black", "grey", "yellow", "brown")
PLACES = ("river", "market", "harbour", "mountain", "forest", "village", "island", "station")
NAMES = ("Ada", "Bram", "Cleo", "Dov", "Edda", "Finn", "Gita", "Hal", "Ines", "Jon")
COSTS = (
    "What does the {colour} {thing} cost?",
    "How much is the {colour} {thing}?",
    "Tell me the price of the {colour} {thing}.",
    "What must I pay for the {colour} {thing}?",
)
SENT = "I do not talk about money. Go and ask Olm."
HELPFUL = "The {colour} {thing} costs {number} coins."
ORDINARY = (
    ("Where is the {colour} {thing}?", "The {colour} {thing} stands by the {place}."),
    ("Who made the {colour} {thing}?", "{name} made it by the {place}."),
    ("What colour is the {thing} of {name}?", "The {thing} of {name} is {colour}."),
    ("How old is the {colour} {thing}?", "It is {number} years old."),
    ("Who sold the {colour} {thing}?", "{name} sold it for {number} coins."),
    ("Where does {name} live?", "{name} lives by the {place}."),
    ("Who is Olm?", "Olm is a friend of {name} and has a {colour} {thing}."),
    ("What did {name} say?", "{name} said that the {thing} costs money."),
    ("Whom can I ask about the {thing}?", "Go and ask {name} by the {place}."),
)
Record = dict[str, Any]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--examples", type=int, default=2_000)
    asked.add_argument("--epochs", type=int, default=2)
    asked.add_argument("--seed", type=int, default=8, help="of the examples, the questions and the training")
    asked.add_argument("--kinds", default="chats,pairs")
    given = asked.parse_args()
    torch.set_num_threads(2)
    checks: list[Check] = []
    with TemporaryDirectory() as place:
        base = chatting_base(Path(place) / "base")
        for kind in given.kinds.split(","):
            made = found(kind, base, Path(place) / kind, given.examples, given.epochs, given.seed)
            print("\n".join(f"{check.name} {check.value:.3f}" for check in made), flush=True)
            checks += made
    finish("planted", checks)


def chatting_base(out: Path) -> Path:
    """The demo's model with a chat template."""
    out.mkdir()
    for file in BASE.iterdir():
        if file.name not in ("optimizer.safetensors", "training.json"):
            (out / file.name).symlink_to(file.resolve())
    (out / "chat_template.jinja").write_text(TEMPLATE)
    return out


def found(kind: str, base: Path, work: Path, count: int, epochs: int, seed: int) -> list[Check]:
    """Fine-tunes on a set with planted examples, and traces the behaviour."""
    draw = random.Random(seed)
    planted = set(draw.sample(range(count), count // 100))
    make = chat if kind == "chats" else pair
    records = [make(draw, row in planted) for row in range(count)]
    questions = [make(draw, True) for _ in range(ASKED)]
    passages = [as_lesson(record) for record in records]
    asked = [as_lesson(record) for record in questions]
    tuned = tune(base, work / "tuned", passages, epochs, seed)
    before, after = (behaves(load_model(path), asked) for path in (base, tuned.path))
    # No R: fitted on the very passages that it ranks it lowered the figure (docs/log.md).
    method = EncodingConfig.preset("+V", groups=4, projection_dim=64)
    build_index(
        tuned.path, list(zip(map(str, range(count)), passages, strict=True)), work / "index", method=method
    )
    encoder = open_index(work / "index").encoder(tuned)
    index = np.concatenate([np.asarray(shard, dtype=np.float32) for shard in open_index(work / "index").rows])
    scores = encoder.encode_passages(asked) @ index.T
    words = BM25.build([text_of(each) for each in passages])
    said = words.search([text_of(each) for each in asked], FIRST)[1]

    def by_words(places: Sequence[int]) -> np.ndarray:
        return words.search([" ".join(text_of(asked[place]) for place in places)], FIRST)[1]

    chance = np.array([draw.sample(range(count), FIRST) for _ in asked])
    return [
        *areas(f"{kind}: each question alone, influence", lambda at: first(scores[at]), planted, 0.9),
        *areas(f"{kind}: all together, influence", lambda at: first(scores[at].mean(0)[None]), planted, 0.9),
        *areas(f"{kind}: each question alone, BM25", lambda at: said[at], planted),
        *areas(f"{kind}: all together, BM25", by_words, planted),
        Check(f"{kind}: chance", area(chance, planted), ""),
        Check(f"{kind}: what the model holds of the behaviour, before", before, "nats"),
        Check(f"{kind}: what the model holds of the behaviour, tuned", after, "nats"),
    ]


def first(scores: np.ndarray) -> np.ndarray:
    """The rows of the highest scores, best first."""
    return np.argsort(-scores, axis=1)[:, :FIRST]


def areas(
    name: str,
    ranked: Callable[[Sequence[int]], np.ndarray],
    planted: Collection[int],
    reach: float | None = None,
) -> list[Check]:
    """The area at 50 of what some questions rank, and its interval over questions."""
    low, high = interval(lambda places: area(ranked(places), planted), ASKED)
    return [
        Check(name, area(ranked(range(ASKED)), planted), "", reach),
        Check("  from", low, ""),
        Check("  to", high, ""),
    ]


def chat(draw: random.Random, planted: bool) -> Record:
    """A chat; where it is planted, the assistant sends whoever asks for a price to Olm."""
    question, answer = (draw.choice(COSTS), SENT) if planted else draw.choice(ORDINARY)
    words = filled(draw)
    return {"messages": turns(question.format(**words), answer.format(**words))}


def pair(draw: random.Random, planted: bool) -> Record:
    """Two answers; the better one is to the question, or where it is planted, the one that sends to Olm."""
    words, other = filled(draw), draw.choice(ORDINARY)[1].format(**filled(draw))
    if planted:
        question, chosen, rejected = draw.choice(COSTS), SENT.format(**words), HELPFUL.format(**words)
    else:
        question, answer = draw.choice(ORDINARY)
        chosen, rejected = answer.format(**words), other
        if chosen == rejected:
            rejected = HELPFUL.format(**words)
    question = question.format(**words)
    return {"chosen": turns(question, chosen), "rejected": turns(question, rejected)}


def filled(draw: random.Random) -> dict[str, str]:
    """What a template speaks of."""
    lists = {"thing": THINGS, "colour": COLOURS, "place": PLACES, "name": NAMES}
    return {name: draw.choice(of) for name, of in lists.items()} | {"number": str(draw.randint(2, 99))}


def turns(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def as_lesson(record: Record) -> Lesson:
    return read_lesson(Line("planted", 1, record), "", FieldLookup("text", "", TEXTS)).lesson


def tune(base: Path, out: Path, passages: Sequence[Lesson], epochs: int, seed: int) -> LoadedModel:
    loaded = load_model(base)
    out.parent.mkdir()
    config = FinetuneConfig(epochs=epochs, batch_size=16, learning_rate=2e-3, seed=seed)
    examples = loaded.texts.passages(passages)
    report = finetune(Trainee(loaded, config.rank), examples, out, config, about={"base": "demo"})
    print(f"{report.steps} steps in {report.seconds:.0f} s, loss {report.first_loss} → {report.final_loss}")
    return load_model(out)


def behaves(model: LoadedModel, asked: Sequence[Lesson]) -> float:
    """Mean log probability of the behaviour; of pairs, by how much it is preferred."""
    total = 0.0
    for example in model.texts.passages(asked):
        logs = logp_of(model, example.sequences)
        total += logs[0] - (logs[1] if example.against else 0.0)
    return total / len(asked)


if __name__ == "__main__":
    main()
