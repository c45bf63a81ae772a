"""A served home with a worker in a process of its own, and how a browser asks there."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Page, expect


@dataclass
class Site:
    """A served home with a worker in a process of its own."""

    address: str
    worker: subprocess.Popen[bytes]

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The worker does nothing while the block lasts, as if it were at other people's questions."""
        self.worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.send_signal(signal.SIGCONT)


def ask(page: Page, address: str, prompt: str, completion: str = "", **more: str) -> None:
    page.goto(f"{address}/trace")
    page.locator("#prompt").fill(prompt)
    page.locator("#completion").fill(completion)
    for name, value in more.items():
        page.locator(f"form.question [name={name}]").fill(value)
    page.get_by_role("button", name="Trace it").click()
    page.wait_for_url(re.compile("/traces/"))


def answered(page: Page) -> None:
    expect(page.locator(".proponent").first).to_be_attached(timeout=20_000)
    unfold(page)


def unfold(page: Page) -> None:
    """This home's model is so small that what it says can lie within chance: then passages are folded away."""
    for fold in page.locator("details.by-chance:not([open]) > summary").all():
        fold.click()
