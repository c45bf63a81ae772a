"""What `startrail index` prints when it is done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from app.cli.progress import console, spoken_rate
from app.trackstar.config import EncodingConfig
from app.trackstar.manifest import IndexManifest
from app.words.partial import SearchedPart
from app.words.roles import FORMS


def report(out: Path, manifest: IndexManifest, seconds: float) -> None:
    """Print where the index is, what was fitted and how its rows are searched."""
    table = Table(
        title=f"{out.name}: {manifest.passages:,} passages", show_header=False, title_justify="left"
    )
    for label, value in _facts(out, manifest, manifest.method, seconds):
        table.add_row(label, value)
    console.print(table)


def _facts(
    out: Path, manifest: IndexManifest, method: EncodingConfig, seconds: float
) -> Iterator[tuple[str, str]]:
    size = sum(file.stat().st_size for file in out.rglob("*"))
    yield "directory", f"{out} ({size / 2**20:,.1f} MiB in {len(manifest.shards)} shards)"
    yield (
        "encodings",
        f"d = {manifest.dimension:,} ({method.groups} groups · 2 · {method.projection_dim}²), float16",
    )
    yield (
        "second moments",
        manifest.second_moments["source"] if manifest.second_moments else "not divided out",
    )
    yield "Hessian", _hessian(manifest.hessian)
    yield "search", _search(out, manifest.search)
    if left_out := manifest.build.get("left_out"):
        yield "not traced", ", ".join(left_out)
    if forms := manifest.build.get("forms"):
        yield "taught by", "\n".join(f"{FORMS[form]}: {count:,}" for form, count in forms.items())
    if appended := manifest.build.get("appended"):
        yield "appended", "\n".join(_appended(each) for each in appended)
    counts = manifest.counts
    yield (
        "passages",
        (
            f"{counts['empty']:,} blank (zero rows, never found), {counts['cut']:,} cut at the context, "
            f"{counts['degenerate']:,} without a usable gradient, {counts['saturated']:,} beyond float16"
        ),
    )
    yield (
        "time",
        f"{seconds:,.1f} s with everything; passages at {spoken_rate(manifest.passages / max(seconds, 1e-9))}",
    )


def _appended(about: dict[str, Any]) -> str:
    said = f"{about['passages']:,} passages by the V and R of those before them"
    if about["stretched"] is None:
        return said
    return (
        f"{said}; R^(-1/2) stretches their gradients {about['stretched']:.2f} × as much (1: R fits them as well;"
        " well above: build a new index)"
    )


def _search(out: Path, about: dict[str, Any]) -> str:
    said = str(about["kind"])
    if file := about.get("file"):
        size = sum(each.stat().st_size for each in (out / file).parent.iterdir())
        said += (
            f" (FAISS {about['faiss']}), {size / 2**20:,.1f} MiB; {about['candidates']:,} re-ranked from the rows,"
            f" {about['recall']:.3f} of the ten best among them"
        )
    if part := about.get("part"):
        said += f". {SearchedPart(**part).said}"
    return said


def _hessian(report: dict[str, Any] | None) -> str:
    if report is None:
        return "none"
    used = f", eigenvalue {report['rank_used']:,}" if report["rank_used"] else ""
    return (
        f"λ = {report['mixing']:.4g}{used}; damping {report['damping']:g} of the mean eigenvalue, "
        f"{report['below_damping']:.1%} of eigenvalues below it; rank {report['rank_train']:,} from "
        f"{report['rows_train']:,} passages, {report['rank_eval']:,} from {report['rows_eval']:,} queries"
    )
