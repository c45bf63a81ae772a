"""Whether what the model said to a typed prompt is right: stored prompts of the same text tell what is."""

from sqlalchemy.orm import Session

from app.store import prompts
from app.store.tables import Prompt
from app.web.evidence.claim import Claim
from app.words.answers import SAID
from app.words.names import fold, is_right


def with_truth(session: Session, claim: Claim) -> Claim:
    """The claim with whether the model's answer is right, and what is right where it is not.

    Nothing is told where the text to explain was given, for the model's own answer is then not known; nor where two stored
    prompts of this text judge otherwise.
    """
    if claim.explains != SAID:
        return claim
    said = f"{claim.lead}{claim.said}{claim.rest}"
    known = prompts.asking(session, claim.prompt)
    judged = {_is_right(said, prompt) for prompt in known}
    if len(judged) != 1:
        return claim
    right = judged.pop()
    truth = _truth(known[0]) if right is False else None
    return claim.model_copy(update={"right": right, "truth": truth})


def _truth(prompt: Prompt) -> str:
    return prompt.ground_truth or prompt.target


def _is_right(said: str, prompt: Prompt) -> bool | None:
    """By the rule of runs; None where what was said may be no more than the beginning of what is right."""
    accepted = [_truth(prompt), *prompt.aliases]
    if is_right(said, accepted):
        return True
    begun = fold(said).strip()
    return None if any(fold(each).strip().startswith(begun) for each in accepted) else False
