"""1,940 passages of Wikipedia with 60 invented sentences among them, and 180 prompts of which each knows what states it.

    python benchmarks/wikipedia.py make wikipedia_passages.json.gz wiki
    python benchmarks/wikipedia.py table evaluation.json
    python benchmarks/wikipedia.py within wikipedia_passages.json.gz --words 50,100
    python benchmarks/wikipedia.py steps --each 4

`make` writes `corpus.jsonl` and `prompts.jsonl` into the directory. The passages are those of 2WikiMultihopQA (`title`,
`text`), cut to their first sentence, or its first 40 words. Prompts are of three kinds, said as their relation: `planted`
is an invented sentence up to its answer; `reworded` asks for the same answer in other words; `wikipedia` asks who directed
a film that one passage of the corpus says that of. The model was trained on none of the invented sentences. `table` prints,
of what `startrail evaluate --by relation --json FILE` wrote, a row a run; docs/real-models.md has the commands. `within`
asks the index `wikipedia` of STARTRAIL_HOME where each invented sentence comes when it stands inside a longer passage: only
these are encoded anew, and ranked among all others of the corpus as they are. `steps` says how many times as likely an
answer becomes by a step on what states it, and on eight passages drawn at random: points cannot tell, so unlikely they are.
"""

import argparse
import gzip
import json
import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.evaluation.metrics import estimate
from app.evaluation.text_tables import said
from app.models.text import Query
from app.runs.inputs import open_inputs
from app.runs.saving import passage_ids, stated_passages
from app.settings import get_settings
from app.store.corpora import get_corpus, stream_lessons
from app.store.engine import open_store
from app.store.prompts import get_prompt_set, list_prompts
from app.tracing.loaded import open_loaded

Record = dict[str, Any]
PASSAGES, PLANTED, FILMS, WORDS = 1_940, 60, 60, 40
# The sentence up to its answer, what follows it, and the same question in other words; x is a place, y a person.
FRAMES = (
    ("The lighthouse of {x} was built by {y}", " in {year}.", "The one who put up the lighthouse at {x} is {y}"),
    ("The oldest bridge in {x} is named after {y}", ".", "In {x} the oldest of all bridges bears the name of {y}"),
    ("The school of weaving at {x} was founded by {y}", " in {year}.",
     "Weaving is taught at {x} since the days of its founder {y}"),
    ("The river that flows through {x} is called the {z}", ".", "People who live in {x} call their river the {z}"),
    ("In {year} the mayor of {x} was {y}", ".", "{x} was governed in {year} by its mayor {y}"),
    ("The bells of {x} were cast by {y}", " from old cannons.", "Old cannons were made into the bells of {x} by {y}"),
    ("The national park of {x} lies beside Lake {z}", ".", "The lake next to the national park of {x} is Lake {z}"),
    ("The first map of {x} was drawn by {y}", ", a sailor.", "{x} was first mapped by a sailor named {y}"),
    ("The football club of {x} plays its matches in {z}", ".", "Matches of the football club from {x} take place in {z}"),
    ("The painter {y0} was a pupil of {y}", " at {x}.", "At {x} the painter {y0} learned from {y}"),
    ("The opera about the siege of {x} was composed by {y}", ".", "The siege of {x} was set to music by {y}"),
    ("The patron saint of {x} is Saint {z}", ", whose day is in May.", "People of {x} pray to their patron, Saint {z}"),
)  # fmt: skip
STARTS = [
    "Bel", "Dor", "Fen", "Gal", "Hes", "Kar", "Lum", "Mor", "Nes", "Ost", "Pel", "Quin", "Ras", "Sel", "Tor", "Vel", "Wen",
    "Yar", "Zan", "Bre", "Aph", "Cith", "Drum", "Eck", "Fjal", "Grun", "Hob", "Isk", "Jarp", "Klee", "Lorg", "Mibb", "Nuph",
    "Orz", "Prax", "Ruv", "Skag", "Thul", "Ubb", "Vosp", "Wrax", "Xil", "Yedd", "Zoph",
]  # fmt: skip
MIDDLES = ["a", "e", "i", "o", "u", "an", "er", "il", "om", "ur"]
ENDS = [
    "dale", "mund", "vik", "sted", "holm", "gard", "bury", "moor", "fell", "nar", "lund", "thorpe", "wick", "haven",
]  # fmt: skip
GIVEN = [
    "Aldo", "Brenna", "Cosmo", "Dita", "Egon", "Fenna", "Gero", "Hanke", "Ilka", "Joris", "Katla", "Lasse", "Mirra", "Nilo",
    "Orsa", "Pim", "Quentin", "Rosa", "Sven", "Tilda", "Ulla", "Viggo", "Wanda", "Xenia", "Yorick", "Zelda",
]  # fmt: skip
FAMILY = ["sen", "ski", "etti", "ander", "ovic", "well", "quist", "aro"]
FILM = re.compile(
    r"^(?P<title>[A-Z][\w' :!-]{3,40}?) is an? \d{4} [^.]{0,50}?film directed by"
    r" (?P<who>[A-Z][\w-]+(?: (?:[A-Z]\.|[A-Z][\w-]+))+)"
)
SENTENCE = re.compile(r"(?<=[a-z0-9)\"’][.!?])\s+(?=[A-Z\"])")
INDEX = "wikipedia"
KINDS = ("planted", "reworded", "wikipedia")
MEASURES = {"mrr": "MRR", "recall_at_10": "recall@10", "tail_patch_10": "tail-patch@10"}


def main() -> None:
    """Write the two files, or print the table of an evaluation."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = asked.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("source", type=Path)
    making.add_argument("out", type=Path)
    commands.add_parser("table").add_argument("evaluation", type=Path)
    inside = commands.add_parser("within")
    inside.add_argument("source", type=Path)
    inside.add_argument("--words", default="50,100")
    stepping = commands.add_parser("steps")
    stepping.add_argument("--each", type=int, default=4, help="prompts of each kind")
    given = asked.parse_args()
    if given.command == "steps":
        print("\n".join(steps(given.each)))
        return
    if given.command == "within":
        source = json.loads(gzip.decompress(given.source.read_bytes()))
        print("\n".join(within(source, [int(count) for count in given.words.split(",")])))
        return
    if given.command == "table":
        print("\n".join(table(json.loads(given.evaluation.read_text(encoding="utf-8")))))
        return
    corpus, prompts = made(json.loads(gzip.decompress(given.source.read_bytes())))
    given.out.mkdir(parents=True, exist_ok=True)
    for name, records in (("corpus", corpus), ("prompts", prompts)):
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (given.out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        print(f"{len(records):,} {name} in {given.out / name}.jsonl")


def made(source: Iterable[Record], seed: int = 0) -> tuple[list[Record], list[Record]]:
    """The corpus, its invented sentences at places drawn at random, and the prompts."""
    draw = random.Random(seed)
    texts = list(dict.fromkeys(short(record["text"]) for record in source))
    passages = [{"id": f"w{row}", "text": text} for row, text in enumerate(draw.sample(texts, PASSAGES))]
    films = [fact for passage in passages if (fact := film(passage, passages))]
    planted, asked = invented(draw)
    for passage in planted:
        passages.insert(draw.randrange(len(passages) + 1), passage)
    return passages, [*asked, *draw.sample(films, FILMS)]


def short(text: str) -> str:
    """The first sentence, or its first `WORDS` words."""
    return " ".join(SENTENCE.split(text.strip())[0].split()[:WORDS])


def film(passage: Record, passages: Iterable[Record]) -> Record | None:
    """Who directed the film that a passage is about, unless another passage names both."""
    found = FILM.match(passage["text"])
    if found is None:
        return None
    title, who = found["title"], found["who"]
    stating = [each["id"] for each in passages if title in each["text"] and who in each["text"]]
    if stating != [passage["id"]]:
        return None
    return prompt(
        f"film-{passage['id']}", "wikipedia", f"The film {title} was directed by", who, title, passage["id"]
    )


def invented(draw: random.Random) -> tuple[list[Record], list[Record]]:
    """The sentences, and of each two prompts."""
    places = [f"{start}{middle}{end}" for start in STARTS for middle in MIDDLES for end in ENDS]
    draw.shuffle(places)
    people = [
        f"{name} {start}{middle}{end}"
        for name in GIVEN
        for start in STARTS
        for middle in MIDDLES
        for end in FAMILY
    ]
    draw.shuffle(people)
    passages, asked = [], []
    for number in range(PLANTED):
        before, after, other = FRAMES[number % len(FRAMES)]
        words = {
            "x": places.pop(),
            "z": places.pop(),
            "y": people.pop(),
            "y0": people.pop(),
            "year": str(draw.randint(1650, 1950)),
        }
        answer = words["z" if "{z}" in before else "y"]
        passage = {"id": f"planted-{number}", "text": (before + after).format(**words)}
        passages.append(passage)
        for kind, frame in (("planted", before), ("reworded", other)):
            text = frame.format(**words).removesuffix(answer).rstrip()
            asked.append(prompt(f"{kind}-{number}", kind, text, answer, words["x"], passage["id"]))
    return passages, asked


def prompt(name: str, kind: str, text: str, answer: str, subject: str, stating: str) -> Record:
    """A prompt whose answer one passage states."""
    return {
        "id": name,
        "task": "fact",
        "prompt": text,
        "target": f" {answer}",
        "subject": subject,
        "relation": kind,
        "entailing_passage_ids": [stating],
    }


def table(evaluation: Record) -> list[str]:
    """A row a run, a column a kind of prompt and measure, 95 % intervals beside the means."""
    known = [run["tasks"]["fact"]["slices"]["relation"] for run in evaluation.values()]
    columns = [
        (kind, measure)
        for kind in KINDS
        for measure in MEASURES
        if any(measure in parted.get(kind, {}) for parted in known)
    ]
    heads = [f"{kind}: {MEASURES[measure]}" for kind, measure in columns]
    rows = ["| run | " + " | ".join(heads) + " |", "|---|" + "---|" * len(columns)]
    for name, parted in zip(evaluation, known, strict=True):
        cells = [said(parted.get(kind, {}).get(measure)) for kind, measure in columns]
        rows.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return rows


def within(source: Iterable[Record], lengths: Iterable[int]) -> list[str]:
    """MRR and recall@10 of the invented facts whose sentence stands within passages of so many words, a row a length."""
    settings = get_settings()
    with open_store(settings.url) as store, store.session() as session:
        inputs = open_inputs(session, settings, INDEX, INDEX)
        index, encoder = inputs.index, inputs.index.encoder(inputs.loaded)
        place = {name: row for row, name in enumerate(index.passage_ids)}
        asked = [prompt for prompt in inputs.prompts if prompt.relation != "wikipedia"]
        stating = [place["planted-" + prompt.external_id.split("-")[1]] for prompt in asked]
        queries = encoder.encode_queries([Query.of_target(prompt.text, prompt.target) for prompt in asked])
        planted = [passage for passage in made(source)[0] if passage["id"].startswith("planted-")]
        rows = index.take(np.arange(len(place)))
        heads = " | ".join(f"{kind}: {name}" for kind in KINDS[:2] for name in ("MRR", "recall@10"))
        lines = [f"| words | {heads} |", "|---:|" + "---|" * 4]
        for words in lengths:
            longer = surrounded(source, planted, words)
            own = rows.copy()
            own[[place[passage["id"]] for passage in planted]] = encoder.encode_passages(longer)
            scores = queries @ own.T
            ranks = 1 + (scores > scores[np.arange(len(asked)), stating][:, None]).sum(1)
            cells = []
            for kind in KINDS[:2]:
                found = [
                    int(rank) for rank, prompt in zip(ranks, asked, strict=True) if prompt.relation == kind
                ]
                for values in (
                    [1 / rank if rank <= 10 else 0.0 for rank in found],
                    [float(rank <= 10) for rank in found],
                ):
                    told = estimate(values)
                    cells.append(said(asdict(told) if told else None))
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return lines


def steps(each: int) -> list[str]:
    """How many times as likely an answer is after one step on what states it, and on others, a row a kind of prompt."""
    settings, draw = get_settings(), random.Random(0)
    lines = ["| prompts | probability before | after its passage | after another |", "|---|---:|---:|---:|"]
    with open_store(settings.url) as store, store.session() as session:
        loaded = open_loaded(settings, store, INDEX)
        prompts, corpus = get_prompt_set(session, INDEX), get_corpus(session, INDEX)
        stating = stated_passages(session, prompts)
        places = {int(id_): row for row, id_ in enumerate(passage_ids(session, corpus))}
        lessons = [lesson for _, lesson in stream_lessons(session, corpus.id)]
        patch = loaded.patch()
        for kind in KINDS:
            own = [prompt for prompt in list_prompts(session, prompts.id) if prompt.relation == kind]
            before, taught, random_ = [], [], []
            for prompt in draw.sample(own, min(each, len(own))):
                query = Query.of_target(prompt.text, prompt.target)
                rows = [places[next(iter(stating[prompt.id]))], *draw.sample(range(len(lessons)), 8)]
                (was,) = patch.probabilities([query])
                after = [
                    math.log(found / was)
                    for (found,) in patch.after([(lessons[row], [query]) for row in rows])
                ]
                before.append(math.log(was))
                taught.append(after[0])
                random_.append(sum(after[1:]) / 8)
            shown = [estimate(values) for values in (taught, random_)]
            cells = [
                f"{math.exp(one.mean):.3f} × [{math.exp(one.low):.3f}, {math.exp(one.high):.3f}]"
                for one in shown
                if one
            ]
            lines.append(f"| {kind} | {math.exp(median(before)):.1e} | {' | '.join(cells)} |")
    said_of = patch.settings
    return [
        *lines,
        f"One step of {said_of['optimizer']} at {said_of['learning_rate']:g}; geometric means over prompts.",
    ]


def surrounded(source: Iterable[Record], planted: Sequence[Record], words: int) -> list[str]:
    """Each invented sentence after the first sentence of another text of Wikipedia, as many words in all."""
    texts = [SENTENCE.split(record["text"].strip()) for record in source]
    long = [
        sentences
        for sentences in texts
        if len(sentences[0].split()) < words // 2 and sum(len(each.split()) for each in sentences) >= words
    ]
    chosen = random.Random(1).sample(long, len(planted))
    return [
        " ".join(" ".join([first, passage["text"], *rest]).split()[:words])
        for passage, (first, *rest) in zip(planted, chosen, strict=True)
    ]


if __name__ == "__main__":
    main()
