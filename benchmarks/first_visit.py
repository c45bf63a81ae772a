"""What a first visit is like on a telephone: bytes over the wire, when the largest thing is painted, what moves then.

    python benchmarks/first_visit.py [--home startrail-home] [--rounds 5] [--latency 150]

Chromium with an empty cache for each visit, 1.6 Mbit/s and a processor four times slower than this one, as a person's
browser (for whom the site also takes steps). The pages are the front page, those of a right and of a wrong
answer, of a trace where there is one, and of a list. Medians; the bytes are of the page and all that it loads.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from _report import Check, finish
from playwright.sync_api import Browser, sync_playwright
from screenshots import CHROMIUM, served

BITS = 1_600_000  # a second
SLOWER = 4
PERSON = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
PHONE = (390, 844)
SETTLED = 1_500  # milliseconds after loading in which what moves is counted
# Both observers see what was before them; a shift that follows a click or a key is the reader's own.
WATCH = """
window.seen = {painted: 0, shifted: 0, what: ""};
new PerformanceObserver(list => { for (const each of list.getEntries())
    Object.assign(window.seen, {painted: each.startTime, what: each.element?.tagName ?? ""}); })
  .observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver(list => { for (const each of list.getEntries())
    if (!each.hadRecentInput) window.seen.shifted += each.value; })
  .observe({type: "layout-shift", buffered: true});
"""


@dataclass(frozen=True)
class Visit:
    """One visit: bytes, milliseconds until the largest thing was painted and which it was, and the layout's shift."""

    weight: int
    painted: float
    what: str
    shifted: float


def visit(browser: Browser, url: str, latency: int) -> Visit:
    """Open the page once, as somebody who was never here."""
    context = browser.new_context(
        user_agent=PERSON,
        viewport={"width": PHONE[0], "height": PHONE[1]},
        device_scale_factor=2,
        is_mobile=True,
    )
    page = context.new_page()
    tools = context.new_cdp_session(page)
    sizes: list[float] = []
    tools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    tools.send("Network.enable")
    limits: dict[str, Any] = {
        "offline": False,
        "latency": latency,
        "downloadThroughput": BITS / 8,
        "uploadThroughput": BITS / 16,
    }
    tools.send("Network.emulateNetworkConditions", limits)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script(WATCH)
    page.goto(url, wait_until="load")
    page.wait_for_timeout(SETTLED)
    seen = page.evaluate("window.seen")
    context.close()
    return Visit(int(sum(sizes)), seen["painted"], seen["what"], seen["shifted"])


def pages(site: str) -> dict[str, str]:
    """A page of each kind that people are sent to, found through the pages' JSON."""

    def load(path: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(site + path, timeout=60).raise_for_status().json()
        return found

    def page(url: str) -> str:
        path, _, query = url.partition("?")
        return path.removesuffix(".json") + (f"?{query}" if query else "")

    found = {"home": "/"}
    right = load("/prompts.json?task=fact&right=yes&sort=probability")["listing"]["items"]
    wrong = load("/finds/mistakes.json")["items"]
    for name, items in (
        ("example", right),
        ("wrong example", wrong),
        ("trace", load("/trace.json")["recent"]),
    ):
        if items:
            found[name] = page(items[0]["url"])
    return found | {"prompts": "/prompts"}


def main() -> None:
    """Visit each page a few times in turn and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--home", type=Path, default=Path("startrail-home"), help="a home with runs, such as the demo's"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--latency", type=int, default=150, help="milliseconds that each request takes on its way"
    )
    asked = parser.parse_args()
    visits: dict[str, list[Visit]] = {}
    with served(asked.home, "--no-worker") as site, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = pages(site)
        for path in found.values():
            httpx.get(site + path, timeout=60)  # what the site counts once, it has counted
        for _ in range(asked.rounds):
            for name, path in found.items():
                visits.setdefault(name, []).append(visit(browser, site + path, asked.latency))
        browser.close()
    checks = []
    for name, seen in visits.items():
        painted = median(each.painted for each in seen)
        print(
            f"  {name:<14} {found[name]:<50} largest: {seen[-1].what or '?':<6} {[round(each.painted) for each in seen]}"
        )
        checks += [
            Check(f"{name}: first visit", max(each.weight for each in seen) / 1024, "KB", 60, True),
            Check(f"{name}: largest paint", painted / 1000, "s", 1.0, True),
            Check(f"{name}: layout shift", max(each.shifted for each in seen), "", 0.01, True),
        ]
    finish("first_visit", checks)


if __name__ == "__main__":
    main()
