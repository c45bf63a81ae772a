"""Real scores of bergson and kronfluence, made here of the demo model, imported, browsed beside our own, and equal to the bit.

Both tools score the same 50 passages of the demo's corpus for the same five facts: bergson by projected gradients, kronfluence by
EK-FAC over the MLP's weights, for all modules together, for each, and for each token. They run in an environment of their own,
made anew unless `--python` names one: `pip install bergson==2.5.1 kronfluence==1.0.1` with torch.
"""

import argparse
import gzip
import json
import os
import subprocess
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _report import Check, finish
from fastapi.testclient import TestClient
from safetensors.numpy import load_file
from typer.testing import CliRunner

from app.cli.main import app
from app.demo.shipped import corpus_path, model_path, prompts_path
from app.main import create_app
from app.settings import get_settings

TOOLS = ("bergson==2.5.1", "kronfluence==1.0.1")
PASSAGES, QUERIES = slice(0, 4000, 80), slice(0, 300, 60)

KRONFLUENCE = """
import json, sys
from pathlib import Path
import torch
from kronfluence.analyzer import Analyzer, prepare_model
from kronfluence.arguments import ScoreArguments
from kronfluence.task import Task
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

model_dir, folder = sys.argv[1], Path(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(model_dir)


def read(file):
    rows = []
    for line in (folder / file).read_bytes().splitlines():
        ids = tokenizer(json.loads(line)["text"])["input_ids"][:64]
        pad = 64 - len(ids)
        rows.append({
            "input_ids": torch.tensor(ids + [0] * pad),
            "attention_mask": torch.tensor([1] * len(ids) + [0] * pad),
            "labels": torch.tensor(ids + [-100] * pad),
        })
    return rows


class Language(Task):
    def compute_train_loss(self, batch, model, sample=False):
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1].float()
        labels = batch["labels"][:, 1:]
        if sample:
            drawn = torch.distributions.Categorical(logits=logits.detach()).sample()
            labels = torch.where(labels == -100, labels, drawn)
        return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")

    def compute_measurement(self, batch, model):
        return self.compute_train_loss(batch, model)

    def get_influence_tracked_modules(self):
        return [name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear) and "mlp" in name]

    def get_attention_mask(self, batch):
        return batch["attention_mask"]


torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
model = prepare_model(model, Language())
analyzer = Analyzer("demo", model, Language(), cpu=True, output_dir=str(folder / "kronfluence"), disable_tqdm=True)
train, queries = read("passages.jsonl"), read("queries.jsonl")
analyzer.fit_all_factors("ekfac", train, per_device_batch_size=16)
apart = {"modules": {"compute_per_module_scores": True}, "tokens": {"compute_per_token_scores": True}}
for name, given in {"all": {}, **apart}.items():
    analyzer.compute_pairwise_scores(
        name, "ekfac", queries, train, per_device_query_batch_size=8, per_device_train_batch_size=16,
        score_args=ScoreArguments(**given),
    )
"""


def tools(folder: Path) -> Path:
    """A Python with both tools."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *TOOLS], check=True)
    return folder / "bin" / "python"


def lines(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Rows as JSON Lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def read_rows(file: Path, which: slice) -> list[dict[str, Any]]:
    """Some rows of a shipped file."""
    with gzip.open(file, "rt") as stream:
        return [json.loads(line) for line in stream][which]


def score(python: Path, folder: Path) -> dict[str, tuple[Path, np.ndarray]]:
    """What each tool saved, and its scores, queries by passages, as read without us."""
    model = str(model_path())
    common = [
        "--model",
        model,
        "--prompt_column",
        "text",
        "--projection_dim",
        "8",
        "--token_batch_size",
        "256",
    ]
    bergson = python.with_name("bergson")
    where = {"query": "queries.jsonl", "scores": "passages.jsonl"}
    for name, more in (("query", ["build"]), ("scores", ["score"])):
        asked = ["--query_path", folder / "query"] if name == "scores" else []
        command = [bergson, *more, folder / name, "--dataset", folder / where[name], *common, *asked]
        quiet(command)
    quiet([python, "-c", KRONFLUENCE, model, folder])
    info = json.loads((folder / "scores" / "info.json").read_bytes())
    rows = np.memmap(folder / "scores" / "scores.bin", np.dtype(info["dtype"]), "r")
    found = {
        "bergson": (folder / "scores", np.stack([rows[f"score_{at}"] for at in range(info["num_scores"])]))
    }
    for name in ("all", "modules", "tokens"):
        file = folder / "kronfluence" / "demo" / f"scores_{name}" / "pairwise_scores.safetensors"
        parts = list(load_file(file).values())
        whole = parts[0] if len(parts) == 1 else np.stack(parts).sum(axis=0, dtype=np.float64)
        found[f"kronfluence-{name}"] = (
            file,
            whole if whole.ndim == 2 else whole.sum(axis=2, dtype=np.float64),
        )
    return found


def quiet(command: Sequence[Any]) -> None:
    """Run a tool; what it says is shown only where it fails."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr[-3000:]}")


def startrail(*words: Any) -> None:
    """A command of ours."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code:
        raise SystemExit(f"startrail {words}: {done.output}")


def equal(file: Path, scores: np.ndarray) -> float:
    """The share of scores that the export gives back to the bit; every passage stands in it."""
    records = [json.loads(line) for line in file.read_bytes().splitlines()]
    pairs = [
        (value, float(row[int(name)]))
        for row, record in zip(scores, records, strict=True)
        for name, value in zip(record["proponent_ids"], record["proponent_scores"], strict=True)
    ]
    return sum(ours == theirs for ours, theirs in pairs) / scores.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="A Python in whose environment both tools are.")
    given = parser.parse_args()
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["STARTRAIL_HOME"] = str(folder / "home")
        python = given.python or tools(folder / "tools")
        corpus = [
            {"id": str(n), "text": row["text"]} for n, row in enumerate(read_rows(corpus_path(), PASSAGES))
        ]
        asked = read_rows(prompts_path(), QUERIES)
        prompts = [{"id": row["id"], "prompt": row["prompt"], "target": row["target"]} for row in asked]
        lines(folder / "queries.jsonl", [{"text": f"{row['prompt']} {row['target']}"} for row in asked])
        startrail("corpus", "add", lines(folder / "passages.jsonl", corpus), "--name", "part")
        startrail("prompts", "add", lines(folder / "prompts.jsonl", prompts), "--name", "part")
        startrail("index", model_path(), "part", "--name", "part", "--projection-dim", 4)
        startrail("retrieve", "part", "--prompts", "part", "--run", "ours", "--explain", "target")
        made = score(python, folder)
        for name, (path, scores) in made.items():
            into = ("--prompts", "part", "--corpus", "part", "--model", "part")
            startrail("import", path, "--run", name, "-k", len(corpus), *into)
            startrail("export", name, "-o", folder / f"{name}.jsonl")
            share = equal(folder / f"{name}.jsonl", scores)
            shape = "×".join(map(str, scores.shape))
            checks.append(Check(f"{name}, {shape}: scores equal to the bit", share, "of all", reach=1.0))
        get_settings.cache_clear()
        slug = asked[0]["id"]
        with TestClient(create_app(get_settings()), base_url="http://localhost:8000") as client:
            for name in made:
                pages = (f"/runs/{name}", f"/runs/{name}/prompts/{slug}", f"/compare/{slug}?runs=ours,{name}")
                opened = [client.get(page).status_code == 200 for page in ("/runs", "/evaluation", *pages)]
                checks.append(Check(f"{name}: pages that open, ours beside it", sum(opened), "of 5", reach=5))
    finish("other_tools", checks)


if __name__ == "__main__":
    main()
