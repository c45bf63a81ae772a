"""Filters in the database: on both databases the same rows as a naive reading of the expression."""

import random
from typing import Any

import pytest
from sqlalchemy import select

from app.errors import UserError
from app.store.engine import Store
from app.store.filters import (
    FIELDS,
    And,
    Compare,
    Contains,
    FilterField,
    In,
    Known,
    Node,
    Not,
    Or,
    Rows,
    Truth,
    condition,
    fields_of,
    lowered,
)
from app.store.tables import Corpus, Model, Output, Passage, Prompt, PromptSet, Result, Run, Statement
from app.web.browsing.filters import parse

TEXTS = ["capital of", "Capital", "ÉCOLE", "école", "50% off_", "a\\b", 'say "x"', "", "=1", "😀 ☃"]
EXPRESSIONS = [
    "correct",
    "not correct",
    "correct and confidence > 0.5",
    "bucket >= 3 or not stated",
    "stated",
    "not (stated and correct)",
    "correct is missing",
    "not (confidence is known or frequency < 5)",
    'relation contains "CAPITAL"',
    'relation starts with "cap"',
    'prompt contains "école"',
    'prompt contains "%"',
    'prompt contains "_"',
    'prompt contains "\\\\"',
    'target = "ÉCOLE"',
    "answer != target",
    "answer = target",
    'not relation in ("capital of", "")',
    "bucket in (1, 2.5, 3)",
    "frequency <= 99999999999999",
    "frequency > -0.5 and bucket != 3",
    "top_score < probability",
    "best_ais >= 0.25 and tail_patch is known",
    "first_correct_rank = 1 or first_correct_rank is missing",
    'task = "fact" and not task = "arithmetic"',
    'example_id in ("e1", "e5")',
    'not (prompt contains "a" or target contains "e") and not correct',
    'prompt contains "" and ground_truth is missing',
    'prompt starts with "say \\"x"',
    '(correct or stated) and not (bucket < 2 or bucket > 4) and not answer contains "😀"',
]


def holds(node: Node, row: dict[str, Any]) -> bool | None:
    """What a filter means, said a second time as plainly as possible: true, false, or None (open)."""
    match node:
        case And(items):
            values = [holds(item, row) for item in items]
            return False if False in values else None if None in values else True
        case Or(items):
            values = [holds(item, row) for item in items]
            return True if True in values else None if None in values else False
        case Not(item):
            value = holds(item, row)
            return None if value is None else not value
        case Known(field):
            return row[field.name] is not None
        case Truth(field):
            return row[field.name]
        case In(field, values):
            mine = row[field.name]
            return None if mine is None else mine in values
        case Contains(field, text, start):
            mine = row[field.name]
            if mine is None:
                return None
            return lowered(mine).startswith(lowered(text)) if start else lowered(text) in lowered(mine)
        case Compare(field, op, value):
            mine, other = row[field.name], row[value.name] if isinstance(value, FilterField) else value
            if mine is None or other is None:
                return None
            return {
                "=": mine == other,
                "!=": mine != other,
                "<": op == "<" and mine < other,
                "<=": op == "<=" and mine <= other,
                ">": op == ">" and mine > other,
                ">=": op == ">=" and mine >= other,
            }[op]


@pytest.fixture
def rows(store: Store) -> list[dict[str, Any]]:
    """Sixty results with every column missing now and then, and the same as plain dictionaries."""
    dice = random.Random(7)

    def some(*values: Any) -> Any:
        return dice.choice((None, *values, *values))

    plain = []
    with store.session() as session:
        corpus, model, prompt_set = Corpus(name="c"), Model(name="m"), PromptSet(name="s")
        session.add_all([corpus, model, prompt_set])
        session.flush()
        run = Run(slug="r", name="r", method="bm25", model=model, corpus=corpus, prompt_set=prompt_set)
        passage = Passage(corpus_id=corpus.id, position=0, external_id="p", text="t")
        session.add_all([run, passage])
        session.flush()
        for i in range(60):
            prompt = Prompt(
                prompt_set_id=prompt_set.id,
                position=i,
                external_id=f"e{i}",
                slug=f"s{i}",
                task=dice.choice(["fact", "arithmetic"]),
                text=dice.choice(TEXTS),
                target=dice.choice(TEXTS),
                relation=some(*TEXTS),
                ground_truth=some(*TEXTS),
                subject=some(*TEXTS),
                fact_id=some("f1", "f2"),
                frequency=some(0, 4, 5, 2**31 - 1),
                frequency_bucket=some(0, 1, 2, 3, 4, 5),
            )
            output = Output(
                model_id=model.id,
                answer=some(*TEXTS),
                correct=some(True, False),
                confidence=some(0.0, 0.5, 0.75),
                probability=some(0.25, 1.0),
            )
            result = Result(
                run_id=run.id,
                position=i,
                top_score=some(-1.5, 0.25, 30.0),
                first_correct_rank=some(1, 2, 10),
                best_ais=some(0.0, 0.25, 1.0),
                tail_patch=some(-0.5, 2.0),
            )
            session.add(prompt)
            session.flush()
            output.prompt_id = result.prompt_id = prompt.id
            session.add_all([output, result])
            stated = dice.random() < 0.5
            if i % 3:  # a results file said so, or said the contrary
                prompt.stated = stated
            elif stated:
                session.add(Statement(prompt_id=prompt.id, passage_id=passage.id))
            read = {"prompt": "text", "example_id": "external_id", "bucket": "frequency_bucket"}
            sources = {"prompt": prompt, "output": output, "result": result}
            row = {
                f.name: getattr(sources[f.row], read.get(f.name, f.name))
                for f in FIELDS.values()
                if f.name != "stated"
            }
            silent = not i % 3 and not stated  # the set has no corpus of which all would be known
            plain.append({**row, "stated": None if silent else stated, "slug": prompt.slug})
    return plain


def test_the_database_keeps_the_rows_a_plain_reading_keeps(store: Store, rows: list[dict[str, Any]]) -> None:
    """SQLite and PostgreSQL differ in LIKE, in letter case and in integer sizes; a filter must not."""
    with store.session() as session:
        for source in EXPRESSIONS:
            node = parse(source)
            assert node is not None
            query = (
                select(Prompt.slug)
                .join(Result, Result.prompt_id == Prompt.id)
                .join(Output, Output.prompt_id == Prompt.id)
                .where(condition(node))
            )
            assert set(session.scalars(query)) == {r["slug"] for r in rows if holds(node, r)}, source


def test_the_expressions_tried_keep_some_rows_and_drop_some(rows: list[dict[str, Any]]) -> None:
    """Guards the test above: an expression that keeps all or nothing would prove nothing."""
    telling = [s for s in EXPRESSIONS if 0 < sum(bool(holds(parse(s), r)) for r in rows) < len(rows)]  # type: ignore[arg-type]  # rows are dictionaries of what `holds` asks for
    assert len(telling) >= len(EXPRESSIONS) - 2


def test_a_field_of_a_row_the_page_lacks_is_refused_by_name() -> None:
    node = parse("best_ais > 0.5 and correct")
    assert node is not None
    assert {field.row for field in fields_of(node)} == {"result", "output"}
    with pytest.raises(UserError, match="best_ais"):
        condition(node, Rows(result=None))


def test_nothing_a_reader_types_becomes_sql(store: Store, rows: list[dict[str, Any]]) -> None:
    node = parse('target = "\' or 1=1 --"')
    assert node is not None
    with store.session() as session:
        assert session.scalars(select(Prompt.slug).where(condition(node))).all() == []
