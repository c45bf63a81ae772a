"""The field's terms in plain words: what a page links to where it uses one. The one home of these explanations."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A term as pages write it, and what it means in a sentence or two that need no other term."""

    label: str
    meaning: str


TERMS: dict[str, Term] = {
    "step": Term(
        "Training step, tail-patch",
        "The model takes one more real training step on one passage, from its saved weights, and the answer’s probability is"
        " read again. The change is the tail-patch, in percentage points: from 60 % to 76 % is +16 points. It is measured,"
        " not estimated, and it lasts only for the measurement.",
    ),
    "control": Term(
        "Control",
        "The same training step on passages drawn at random. What these do to the answer is what any passage does; only more"
        " than that says something.",
    ),
    "proponent": Term(
        "Proponent, opponent",
        "A proponent is a passage whose training pushed the model towards the answer, an opponent one that pushed it away."
        " Pages call them for and against.",
    ),
    "score": Term(
        "Score",
        "How a method ranks a passage for an answer. For TrackStar it runs from −1 to 1: how far the training step on the"
        " passage points the same way as a step towards the answer. Scores of different methods do not compare.",
    ),
    "chance": Term(
        "By chance, chance floor",
        "Among thousands of passages some score high by luck. The floor is what the best of as many unrelated passages"
        " would reach; passages below it are folded, and are no evidence.",
    ),
    "half-search": Term(
        "Half-search",
        "Gradients are too long to keep, so they are projected at random to fewer numbers. Searching with either half of"
        " these numbers shows which passages depend on that draw: one that both halves find is firmly placed, one that neither"
        " finds is not.",
    ),
    "states": Term(
        "States the fact",
        "The passage says what was asked, in whatever words: known from how the corpus was made, from the results file, or"
        " judged by AIS. A passage can state a fact and move the model little, or the reverse.",
    ),
    "ais": Term(
        "AIS",
        "Attributable to identified sources: how strongly a passage supports the fact in the judgement of another model, from"
        " 0 to 1. Above 0.5 counts as stating it.",
    ),
    "mrr": Term(
        "MRR",
        "Mean reciprocal rank. For each prompt, 1 over the rank of the first passage that states the fact: 1 if it comes"
        " first, 0.5 if second, 0 if none was found. Then the mean over prompts.",
    ),
    "recall": Term(
        "recall@10",
        "The share of prompts for which at least one of the first ten passages states the fact.",
    ),
    "precision": Term(
        "precision@10, average precision",
        "The share of the first ten passages that state the fact. Average precision takes this share at each passage that"
        " does, and their mean.",
    ),
    "date-lm": Term(
        "Recall@50 and MRR, as DATE-LM has them",
        "Of the passages that are known to state the fact, the share that stands among the first fifty; and 1 over the rank of"
        " the first of them. Means over the prompts whose fact some passage states, to compare with that benchmark’s figures.",
    ),
    "rbo": Term(
        "RBO",
        "Rank-biased overlap of two lists: 1 if they hold the same passages in the same order, 0 if they share none. The"
        " first ranks count most (p = 0.9).",
    ),
    "interval": Term(
        "95% interval",
        "Drawing the prompts again and again from those at hand, 95 of 100 means fall between these two numbers. A wide"
        " interval means too few prompts to tell.",
    ),
    "confidence": Term(
        "Confidence",
        "How sure the model is of its answer as a whole, from 0 to 1, as the results file has it or from how often its samples"
        " agree.",
    ),
    "bucket": Term(
        "Frequency bucket",
        "How often the corpus states the fact, in steps that double: 0 never, 1 once, 2 two or three times, 3 four to seven.",
    ),
    "samples": Term(
        "Samples",
        "The model answers the same prompt several times, each word drawn by its probability. They show what else it might"
        " have said.",
    ),
    "contrast": Term(
        "Rather than",
        "Passages are ranked by what makes the model say one thing and not another: what helps both cancels out.",
    ),
    "whitening": Term(
        "λ, R, V: the corrections",
        "V, the optimizer’s second moments, and R, how gradients of the corpus go together, take out what all passages share,"
        " such as ordinary grammar. λ from 0 to 1 mixes R of the corpus with R of the task’s prompts.",
    ),
    "projection": Term(
        "Projection, groups",
        "A gradient has as many numbers as the model. It is multiplied by random matrices and kept as a few thousand numbers,"
        " which still say how far two gradients point the same way. The layers are taken in groups, each projected to as many.",
    ),
    "damping": Term(
        "Damping",
        "A little is added before dividing by how often a direction occurs, so that directions which hardly ever occur are not"
        " blown up to noise.",
    ),
    "unit-norm": Term(
        "Unit norm",
        "Every gradient is scaled to length one, so that a long or odd passage does not win by size alone.",
    ),
    "ek-fac": Term(
        "EK-FAC",
        "An estimate of how the loss bends around the trained weights. With it the influence of a passage is computed exactly"
        " to first order, without any projection.",
    ),
    "lds": Term(
        "LDS, QLD",
        "Truth by leaving out: models are trained without parts of the corpus. LDS asks how well the summed scores of what was"
        " left out predict the change; QLD how much the loss rises without a method’s first passages.",
    ),
}

# What pages call the things that a term explains, in sentences, captions and settings; the longest that fits counts.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "step": ("tail-patch", "tail-patch@10", "training step"),
    "mrr": ("MRR",),
    "recall": ("recall@k", "recall@10"),
    "precision": ("precision@k", "precision@10", "average precision"),
    "ais": ("AIS",),
    "interval": ("95% intervals", "95% interval"),
    "states": ("state the fact", "states the fact"),
    "score": ("dot product", "cosine"),
    "projection": ("projected gradients", "projection dim", "projection", "groups"),
    "whitening": (
        "second moments", "autocorrelation", "whitened", "hessian", "mixing rank", "mixing", "rank eval", "rank train",
        "rank used", "rows eval", "rows train",
    ),
    "damping": ("below damping", "damping"),
    "unit-norm": ("unit norm",),
    "ek-fac": ("EK-FAC",),
    "proponent": ("proponents", "opponents"),
}  # fmt: skip


def term(name: str) -> Term:
    """The term of this name; a KeyError where a page links to one that is not explained."""
    return TERMS[name]


def measure_term(measure: str) -> str:
    """The name of the term that explains a measure of `app.words.measures`."""
    kind = measure.removeprefix("ais_").partition("_")[0]
    return {"mrr": "mrr", "recall": "recall", "tail": "step", "date": "date-lm"}.get(kind, "precision")
