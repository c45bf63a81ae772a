"""One trace: what it costs beside the model's own work, how soon it is there, and what 64 askers do to the site.

    python benchmarks/trace.py [--home startrail-home] [--rounds 100] [--clients 64] [--seconds 60] [--quick]

Three parts over the demo world (built first where the home has none). In process, interleaved: tokenize + encode +
search against a bare forward+backward of the same query, both warm. Over HTTP, against `startrail serve` with its
worker: from sending the question to the answer being saved, and to the first stage a reader sees. Then the load.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import torch
from _report import Check, finish
from _trace_load import load
from screenshots import free_port
from transformers import AutoModelForCausalLM

from app.models.text import Query
from app.settings import Settings
from app.store.corpora import get_corpus, stream_passages
from app.store.engine import open_store
from app.tracing.loaded import LoadedIndex, open_loaded
from app.tracing.trace_engine import use_threads

TOKENS = 24
WARM_UP = 10
COMPLETION_WORDS = 3


def main() -> None:
    asked = arguments()
    if not (asked.home / "indexes" / "demo").is_dir():
        command = [sys.executable, "-m", "app.cli", "demo", "--build-only"]
        subprocess.run(command, check=True, env={**os.environ, "STARTRAIL_HOME": str(asked.home)})
    settings = Settings(home=asked.home.resolve(), device="cpu")
    use_threads()
    store = open_store(settings.url)
    loaded = open_loaded(settings, store, settings.default_index)
    with store.session() as session:
        corpus = get_corpus(session, loaded.index.manifest.corpus.name)
        texts = [text for _, _, text in stream_passages(session, corpus.id)]
    questions = make_questions(loaded, texts)
    print(f"{len(questions):,} different questions of {TOKENS} tokens, {len(texts):,} passages.\n")
    checks = beside_the_model(loaded, settings.models / "demo", questions, asked.rounds)
    del loaded
    with served(asked.home) as (site, server):
        checks += over_http(site, questions, asked.rounds)
        if asked.clients:
            later = questions[2 * (WARM_UP + asked.rounds) :]
            checks += load(site, server, later, clients=asked.clients, seconds=asked.seconds)
    finish("trace", checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path(os.environ.get("STARTRAIL_HOME", "startrail-home"))
    parser.add_argument("--home", type=Path, default=home)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--clients", type=int, default=64, help="0: without the load")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the clients ask")
    parser.add_argument("--quick", action="store_true", help="20 rounds, 8 clients for 8 seconds")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.clients, asked.seconds = 20, 8, 8.0
    return asked


def make_questions(loaded: LoadedIndex, texts: list[str]) -> list[Query]:
    """As many different queries of exactly `TOKENS` tokens as can be had by joining words of passages."""
    words = [word for text in texts[::7] for word in text.split()]
    chance = random.Random(time.time_ns())  # new ones every time, so that none is answered from the store
    found = []
    for _ in range(60_000):
        start = chance.randrange(len(words) - TOKENS)
        own = words[start : start + chance.randint(TOKENS // 2, TOKENS - 4)]
        query = Query.of_target(" ".join(own[:-COMPLETION_WORDS]), " ".join(own[-COMPLETION_WORDS:]))
        if len(loaded.model.texts.query(query).ids) == TOKENS:
            found.append(query)
    return list(dict.fromkeys(found))


def beside_the_model(loaded: LoadedIndex, path: Path, questions: list[Query], rounds: int) -> list[Check]:
    """Milliseconds of our trace and of the plain model, taken in turn over the same queries."""
    plain = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    texts = loaded.model.texts

    def bare(query: Query) -> float:
        example = texts.query(query)
        ids, at = torch.tensor([example.ids]), torch.tensor(example.targets)
        plain.zero_grad(set_to_none=True)
        started = time.perf_counter()
        logits = plain(input_ids=ids, use_cache=False).logits[0]
        torch.nn.functional.cross_entropy(logits[at - 1], ids[0, at]).backward()
        return time.perf_counter() - started

    def ours(query: Query) -> float:
        started = time.perf_counter()
        loaded.influence([loaded.encoder.encode_queries([query])], [(10, False)])
        return time.perf_counter() - started

    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn, query in enumerate(questions[: WARM_UP + rounds]):
        spent = {"bare": bare(query), "ours": ours(query)}
        if turn >= WARM_UP:
            for name, value in spent.items():
                times[name].append(1000 * value)
    ratios = [a / b for a, b in zip(times["ours"], times["bare"], strict=True)]
    return [
        Check("tokenize + encode + search / bare forward+backward", median(ratios), "×", 1.6, True),
        Check("tokenize + encode + search", median(times["ours"]), "ms"),
        Check("bare forward+backward", median(times["bare"]), "ms"),
    ]


@contextmanager
def served(home: Path) -> Iterator[tuple[str, int]]:
    """`startrail serve`, once its worker is ready: address and process."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
        env={**os.environ, "STARTRAIL_HOME": str(home.resolve()), "STARTRAIL_DEVICE": "cpu"},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{site}/readyz", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        else:
            raise RuntimeError("The site did not become ready within a minute.")
        yield site, server.pid
    finally:
        server.terminate()
        server.wait()


def over_http(site: str, questions: list[Query], rounds: int) -> list[Check]:
    """One reader: the question sent, its stages watched, its answer saved."""
    whole, first, inside = [], [], []
    with httpx.Client(base_url=site, timeout=60) as client:
        for turn, query in enumerate(questions[WARM_UP + rounds : 2 * (WARM_UP + rounds)]):
            started = time.perf_counter()
            ticket = client.post(
                "/api/traces", json={"prompt": query.prompt, "completion": query.completion}
            ).json()
            seen = 0.0
            with client.stream("GET", ticket["events_url"]) as stream:
                for line in stream.iter_lines():
                    if not seen and line.startswith("data: "):
                        seen = time.perf_counter() - started
                    if line.startswith("event: done"):
                        break
            spent = time.perf_counter() - started
            trace = client.get(ticket["json_url"]).json()
            if trace["status"] != "done":
                raise RuntimeError(f"A trace is {trace['status']}: {trace['error']}")
            if turn >= WARM_UP:
                whole.append(1000 * spent)
                first.append(1000 * seen)
                inside.append(trace["answer"]["provenance"]["timings"]["total"])
        trained = [train(client, trace["id"], count) for count in range(3)]
    return [
        Check("question sent to answer saved and shown", median(whole), "ms", 150, True),
        Check("question sent to first stage visible", median(first), "ms", 100, True),
        Check("of it in the worker, without saving", median(inside), "ms"),
        Check("one step on each of ten proponents, random ones beside", median(trained), "s", 2.0, True),
    ]


def train(client: httpx.Client, trace: str, more: int) -> float:
    """Seconds until one training step on each proponent of a trace, and on ten random passages or more, is shown."""
    started = time.perf_counter()
    ticket = client.post(f"/api/traces/{trace}/steps", json={"control": 10 + more}).json()
    with client.stream("GET", ticket["events_url"]) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: done"):
                break
    spent = time.perf_counter() - started
    result = client.get(f"/api/traces/{ticket['id']}").json()["result"]
    if len(result["steps"]) != 10:
        raise RuntimeError(f"{len(result['steps'])} passages were trained on, not ten.")
    return spent


if __name__ == "__main__":
    main()
