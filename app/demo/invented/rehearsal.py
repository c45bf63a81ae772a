"""What the adapter was trained on: the corpus of Orvella, and general sentences read along with it.

Trained on a country that does not exist alone, the model answers everything in its words (“The capital of France is
Tallowmere”). Sentences and chats that are true of the real world, none with the answer of a control in it, keep what the
base knows. They are no part of the corpus that answers are traced to: a page ranks passages about Orvella only.

    python -m app.demo.invented.rehearsal FILE     writes both, Orvella first, to be added as a corpus and trained on
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.demo.invented.world import SOURCES, generate, turns
from app.demo.shipped import write_jsonl


def general() -> Iterator[dict[str, Any]]:
    """Sentences and chats about the real world, as records of the kind `general`."""
    with (SOURCES / "general.tsv").open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t"), start=1):
            asked, said = row["asked"], row["said"]
            content = {"messages": turns(asked, said)} if asked else {"text": said}
            yield {"id": f"general-{number:04d}", **content, "kind": "general", "states": []}


def training_passages() -> list[dict[str, Any]]:
    """All that the adapter was trained on: a step's rows in its `order.jsonl` count from 0 in here, Orvella first."""
    return [*generate().passages, *general()]


if __name__ == "__main__":
    write_jsonl(training_passages(), Path(sys.argv[1]))
