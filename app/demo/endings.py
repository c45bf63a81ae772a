"""Prompts that choose: everyday causes and effects, each with a true ending and one that belongs to another cause.

Half ask for the effect (“Because Ada left the ice cream in the sun, the ice cream” melted or broke), half for the
cause, in words that the corpus uses less often: endings of several words and unequal length, so that total probability
and probability per token need not agree.
"""

import csv
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from app.demo.causes import CAUSES_FILE
from app.demo.voice import capital, two_names

ASKED = 40  # of each kind
RELATIONS = {"effect": "Because {n} {cause}, {subject}", "cause": "{Subject} {effect} because {n}"}
ENDING = {"effect": "effect", "cause": "cause_again"}  # the column that is chosen from


def endings(stating: Mapping[str, Sequence[str]], seed: int = 0) -> list[dict[str, Any]]:
    """The prompts, as a prompt set's file has them.

    Args:
        stating: the passages that state each fact, by the facts' ids (`World.facts`).
    """
    with CAUSES_FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    rng = Random(f"startrail/endings/{seed}")
    order = rng.sample(range(len(rows)), 2 * ASKED)
    made = []
    for at, place in enumerate(order):
        relation = "effect" if at < ASKED else "cause"
        row, other = rows[place], rows[rng.choice([each for each in range(len(rows)) if each != place])]
        choices = [row[ENDING[relation]], other[ENDING[relation]]]
        label = rng.randrange(2)
        prompt = RELATIONS[relation].format(**row, Subject=capital(row["subject"]), **two_names(rng))
        stated = list(stating[f"cause:{row['slug']}"])
        made.append(
            {
                "id": f"{relation}-{row['slug']}",
                "task": "commonsense",
                "prompt": prompt,
                "choices": choices[::-1] if label else choices,
                "label": label,
                "subject": row["subject"],
                "relation": relation,
                "fact_id": f"cause:{row['slug']}",
                "frequency": len(stated),
                "entailing_passage_ids": stated,
            }
        )
    return made
