"""The one passage of a plot that is named in it: found by words, it moves the answer against all the others."""

from sqlalchemy.orm import Session

from app.store.tables import Passage
from app.web.evidence.lanes import WORDS, Evidence, Note
from app.web.evidence.verdict import contrary, ordinal

LONGEST = 300  # characters of its text; the plot shows what there is room for


def noted(session: Session, evidence: Evidence) -> Evidence:
    """The evidence, with a note at the passage by words that speaks against its lane, if there is one. One query then."""
    for lane in evidence.lanes:
        dot = contrary(evidence.before, lane) if lane.name == WORDS and evidence.before is not None else None
        passage = session.get(Passage, dot.passage_id) if dot else None
        if dot and passage:
            text = " ".join(passage.text[:LONGEST].split())
            lane.note = Note(passage_id=dot.passage_id, text=text, place=f"{ordinal(dot.rank or 1)} by words")
    return evidence
