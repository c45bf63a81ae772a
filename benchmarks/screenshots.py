"""A gallery of every page: wide and phone, light and dark, beside an index to look through them.

    python benchmarks/screenshots.py [--home startrail-home] [--out screenshots] [--only example,home]

Without a home that holds runs, the demo is built first. The site runs in a process of its own.
"""

import argparse
import html
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, FloatRect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WIDE, PHONE = (1280, 860), (360, 740)
LOOKS = [
    ("wide", WIDE, "light"),
    ("wide-dark", WIDE, "dark"),
    ("phone", PHONE, "light"),
    ("phone-dark", PHONE, "dark"),
]
TALLEST = 4_000  # pixels of a page that are kept


def free_port() -> int:
    """A port that nothing listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def served(home: Path, *flags: str) -> Iterator[str]:
    """The site over a home, in a process of its own, at a free port; `flags` are those of `startrail serve`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port), *flags],
        env={**os.environ, "STARTRAIL_HOME": str(home.resolve())},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/healthz").close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


def pages(site: str) -> dict[str, str]:
    """Name and address of one page of each kind, found through the pages' JSON twins."""

    def load(path: str) -> dict:
        with urllib.request.urlopen(site + path) as answer:
            return json.load(answer)

    runs = [run["slug"] for run in load("/runs.json")["runs"]]
    found = {
        "home": "/",
        "prompts": "/prompts",
        "search": "/prompts?q=capital",
        "nothing": "/prompts?q=zyzzyva",
    }
    found |= {name: f"/{name}" for name in ("methods", "models", "corpora", "finds", "glossary")} | {
        "mistakes": "/finds/mistakes"
    }
    found |= {"runs": "/runs", "run": f"/runs/{runs[0]}", "evaluation": "/evaluation", "compare": "/compare"}
    for kind, behind in (("model", "/models.json"), ("corpus", "/corpora.json")):
        found[kind] = load(behind)["items"][0]["url"]
    for task in ("fact", "commonsense", "arithmetic", "open_ended"):
        items = load(f"/prompts.json?run={runs[0]}&task={task}")["listing"]["items"]
        if items:
            found[f"example-{task}"] = items[0]["url"].replace(".json", "", 1)
    if example := next((url for name, url in found.items() if name.startswith("example-")), ""):
        page = load(example.replace("?", ".json?") if "?" in example else f"{example}.json")
        joined = f"{example}{'&' if '?' in example else '?'}"
        found |= {f"view-{view}": f"{joined}view={view}" for view in ("verbatim", "tokens", "plain")}
        found["opponents"] = f"{joined}side=opponent"
        found |= {"passage": page["proponents"][0]["url"], "cite": f"{example.split('?')[0]}/cite"}
        found |= {"embed": f"{joined}embed=1"} if page["embeds"] else {}
        found |= {"compared": page["compare_url"]} if page["compare_url"] else {}
    if len(runs) > 1:
        found["differences"] = f"/compare?runs={runs[0]},{runs[1]}"
    found["behind"] = f"/evaluation/prompts?run={runs[0]}&measure=mrr"
    found |= {"trace": "/trace", "upload": "/upload", "about": "/about", "docs": "/docs", "ready": "/readyz"}
    found |= {"status": "/status", "sign-in": "/sign-in", "missing": "/runs/not-a-run/prompts/nowhere"}
    return {name: url.replace(".json", "", 1) for name, url in found.items()}  # a twin leads to twins


def answer(site: str) -> dict[str, str]:
    """A question asked and answered; nothing where no model answers in two minutes."""
    question = json.dumps({"prompt": "The capital of Mali is"}).encode()
    request = urllib.request.Request(
        f"{site}/api/traces", question, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as told:
            path = f"/traces/{json.load(told)['id']}"
    except urllib.error.HTTPError:
        return {}
    for _ in range(240):
        with urllib.request.urlopen(f"{site}{path}.json") as told:
            if json.load(told)["status"] == "done":
                return {"answer": path, "answer-all": f"{path}?view=all", "answer-cite": f"{path}/cite"}
        time.sleep(0.5)
    return {}


def refused(site: str) -> dict[str, str]:
    """A results file that was not taken, which leaves nothing behind; nothing where no file can be loaded."""
    answered = httpx.post(f"{site}/upload", files={"file": ("results.jsonl", b'{"proponents": 1}\n')})
    path = urlsplit(answered.headers.get("location", "")).path
    for _ in range(120 if path else 0):
        if httpx.get(f"{site}{path}.json").json()["over"]:
            return {"import": path}
        time.sleep(0.5)
    return {}


def shoot(browser: Browser, site: str, wanted: dict[str, str], out: Path) -> list[Path]:
    """Every page in every look."""
    made = []
    for look, (width, height), scheme in LOOKS:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=1,
            reduced_motion="reduce",
        )
        tab = context.new_page()
        for name, path in wanted.items():
            tab.goto(site + path)
            tall = tab.evaluate("document.documentElement.scrollHeight")
            file = out / f"{name}-{look}.png"
            clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(tall, TALLEST)}
            tab.screenshot(path=file, full_page=True, clip=clip)
            made.append(file)
        context.close()
    return made


def gallery(out: Path, wanted: dict[str, str]) -> Path:
    """A page that shows them all."""
    rows = "".join(
        f"<h2>{html.escape(name)} <code>{html.escape(path)}</code></h2><p>"
        + "".join(
            f'<a href="{name}-{look}.png"><img loading="lazy" src="{name}-{look}.png" alt="{look}"></a> '
            for look, _, _ in LOOKS
        )
        for name, path in wanted.items()
    )
    style = "body{font:15px system-ui;margin:2em}img{height:420px;border:1px solid #ccc;vertical-align:top}"
    file = out / "index.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><title>Startrail</title><style>{style}</style>{rows}"
    )
    return file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("STARTRAIL_HOME", "startrail-home")))
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--only", default="", help="names of pages, separated by commas")
    asked = parser.parse_args()
    if not (asked.home / "startrail.db").exists():
        build = [sys.executable, "-m", "app.cli", "demo", "--build-only"]
        subprocess.run(build, check=True, env={**os.environ, "STARTRAIL_HOME": str(asked.home)})
    asked.out.mkdir(parents=True, exist_ok=True)
    with served(asked.home) as site, sync_playwright() as playwright:
        wanted = pages(site) | answer(site) | refused(site)
        if asked.only:
            wanted = {name: wanted[name] for name in asked.only.split(",")}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = shoot(browser, site, wanted, asked.out)
        browser.close()
    print(f"{len(made)} pictures; look at them in {gallery(asked.out, wanted)}")


if __name__ == "__main__":
    main()
