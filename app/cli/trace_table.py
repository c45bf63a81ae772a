"""A trace on the terminal: the answer, then one row per passage."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.settings import get_settings
from app.store.tables import Passage
from app.store.work_tables import Trace
from app.tracing.explained import span_of
from app.tracing.trace_results import Completion, Hit, TraceResult, TrainingResult
from app.words.methods import method_label


def show(session: Session, trace: Trace, training: dict[str, Any] | None, *, reused: bool) -> None:
    """Print the trace; with a training, what a step on each passage changed."""
    console = Console(highlight=False)
    result = TraceResult.model_validate(trace.result)
    console.print(_question(trace, result))
    console.print(_tokens(result.completion))
    for sample in dict.fromkeys(result.samples):
        console.print(Text(f"  sampled {result.samples.count(sample)}×  {sample.strip()}", style="dim"))
    trained = TrainingResult.model_validate(training) if training else None
    ranking = result.own
    texts = _texts(session, [*ranking.proponents, *ranking.opponents])
    others = {name: r for name, r in result.rankings.items() if name != result.method}
    console.print(_table("Proponents", ranking.proponents, texts, others, trained))
    if ranking.opponents:
        console.print(_table("Opponents", ranking.opponents, texts, {}, None))
    if trained:
        console.print(_verdict(trained))
    provenance = result.provenance
    if stages := result.stages:
        found = (
            f"{method_label(stages.found_by)} found {stages.candidates} of {provenance.passages:,} passages"
        )
        console.print(
            Text(f"{found}; EK-FAC decided their order, and of the others nothing is claimed.", style="dim")
        )
    if missing := provenance.said_unsearched:
        console.print(Text(missing, style="bold yellow"))
    if provenance.part:
        console.print(Text(provenance.part.said, style="bold yellow"))
    seen = "asked before; " if reused else ""
    base = get_settings().base_url.rstrip("/")
    console.print(
        Text(
            f"{seen}{provenance.model} over {provenance.passages:,} passages of {provenance.corpus}, "
            f"{provenance.timings['total']:.0f} ms; open {base}/traces/{trace.id}",
            style="dim",
        )
    )


def _question(trace: Trace, result: TraceResult) -> Text:
    text = Text(result.joined.removesuffix(result.completion.text))
    span = span_of(trace.request, result)
    for at, letter in enumerate(result.completion.text):
        text.append(letter, style="bold green" if span[0] <= at < span[1] else "")
    if result.contrast:
        text.append("  rather than  ", style="italic dim").append(result.contrast.text, style="bold red")
    return text


def _tokens(completion: Completion) -> Text:
    text = Text("  probability ", style="dim")
    text.append(f"{completion.probability:.3f}", style="bold")
    for token in completion.tokens:
        text.append(f"   {token.text.strip() or repr(token.text)} {token.probability:.2f}", style="dim")
    return text


def _table(
    title: str,
    hits: list[Hit],
    texts: dict[int, str],
    others: dict[str, Any],
    training: TrainingResult | None,
) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1), title_style="bold")
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    for name in others:
        table.add_column(name, justify="right", style="dim")
    if training:
        table.add_column("one step", justify="right")
    table.add_column("passage", justify="right", style="dim")
    table.add_column("text", ratio=1, overflow="fold")
    ranks = {name: {hit.passage_id: hit.rank for hit in r.proponents} for name, r in others.items()}
    changes = {step.passage_id: step.change for step in training.steps} if training else {}
    for hit in hits:
        row = [Text(str(hit.rank)), Text(f"{hit.score:.3f}")]
        row += [Text(str(ranks[name].get(hit.passage_id, "–"))) for name in others]
        if training:
            change = changes.get(hit.passage_id)
            row.append(Text("–" if change is None else f"{change:+.2f} pp"))
        row += [Text(str(hit.passage_id)), Text(" ".join(texts.get(hit.passage_id, "").split())[:400])]
        table.add_row(*row)
    return table


def _verdict(training: TrainingResult) -> Text:
    def mean(steps: list[Any]) -> float:
        return sum(step.change for step in steps) / max(1, len(steps))

    settings = training.settings
    return Text(
        f"One training step on each: {mean(training.steps):+.2f} points on average, "
        f"on {len(training.control)} random passages {mean(training.control):+.2f} "
        f"({settings['optimizer']}, learning rate {settings['learning_rate']:g})."
    )


def _texts(session: Session, hits: list[Hit]) -> dict[int, str]:
    ids = [hit.passage_id for hit in hits]
    return dict(session.execute(select(Passage.id, Passage.text).where(Passage.id.in_(ids))).all())
