"""The demo world as files: what ships with the package, and how it is written.

    app/demo/data/corpus.jsonl.gz    one passage a line (`World.passages`)
    app/demo/data/prompts.jsonl.gz   one prompt a line (`World.prompts`)
    app/demo/data/endings.jsonl.gz   one prompt with two endings a line (`World.endings`)
    app/demo/data/model/             the pretrained model directory, weights in float16
    app/demo/data/steps.jsonl.gz     training steps of this model, measured ahead
    app/demo/data/truth.json.gz      what models trained without parts of the corpus say (`startrail truth`)

`python -m app.demo.shipped` makes all but the last again (10 to 25 minutes of pretraining on two cores); steps of another
model no longer fit then, and are taken by `startrail demo --build-only`, then kept with
`startrail steps trackstar,trackstar-said --save app/demo/data/steps.jsonl.gz`.
"""

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.demo.world import World, generate
from app.files import write_bytes

DATA = Path(__file__).parent / "data"


def corpus_path() -> Path:
    """The shipped passages, gzipped JSON Lines."""
    return DATA / "corpus.jsonl.gz"


def prompts_path() -> Path:
    """The shipped prompts, gzipped JSON Lines."""
    return DATA / "prompts.jsonl.gz"


def endings_path() -> Path:
    """The shipped prompts with two endings each, gzipped JSON Lines."""
    return DATA / "endings.jsonl.gz"


def steps_path() -> Path:
    """The shipped training steps of some prompts' pages, see `app.interchange.steps_file`."""
    return DATA / "steps.jsonl.gz"


def truth_path() -> Path:
    """The shipped outcome of leaving out, see `app.truth.outcome`."""
    return DATA / "truth.json.gz"


def model_path() -> Path:
    """The shipped model directory."""
    return DATA / "model"


def write_jsonl(rows: Iterable[Mapping[str, Any]], file: Path) -> None:
    """Writes rows as JSON Lines, gzipped if the name ends in `.gz`; the same rows give the same bytes."""
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if file.suffix == ".gz":
        # Without a time in its header, the file says nothing about when it was made.
        content = gzip.compress(content, compresslevel=9, mtime=0)
    write_bytes(file, content)


def write_world(world: World, folder: Path) -> tuple[Path, Path, Path]:
    """Writes `corpus.jsonl.gz`, `prompts.jsonl.gz` and `endings.jsonl.gz` into a folder and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus, prompts, endings = (folder / path().name for path in (corpus_path, prompts_path, endings_path))
    write_jsonl(world.passages, corpus)
    write_jsonl(world.prompts, prompts)
    write_jsonl(world.endings, endings)
    return corpus, prompts, endings


def _ship() -> None:
    from rich.progress import Progress

    from app.demo.pretrain import pretrain

    world = generate()
    write_world(world, DATA)
    shutil.rmtree(model_path(), ignore_errors=True)
    with Progress() as bar:
        task = bar.add_task("Pretraining")
        report = pretrain(
            [passage["text"] for passage in world.passages],
            model_path(),
            progress=lambda step, total, tokens, loss, rate: bar.update(
                task, completed=step, total=total, description=f"Pretraining (loss {loss:.2f})"
            ),
            half=True,
        )
    print(f"{report.steps} steps, {report.tokens} tokens in {report.seconds:.0f} s")


if __name__ == "__main__":
    _ship()
