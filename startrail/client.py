"""`Client`: everything a site answers, for scripts. Speaks to `/api/v1` and to nothing else; the site may run anywhere."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from app.errors import NotFound, UserError
from app.files import whole
from app.interchange.results_lines import END
from startrail.evidence import Answer, Passage, Passages, Steps, Table

API = "/api/v1"
AT_ONCE = 1_000  # prompts of a list
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.1
SLOWEST_POLL_SECONDS = 2.0
OVER = ("done", "failed", "cancelled")


class Client(AbstractContextManager["Client"]):
    """A site at an address.

    Args:
        url: where it is, such as `http://localhost:8000`.
        timeout: seconds that one request may take.
        token: what the site's operator gave you, where it asks for one.
        http: the connection to use instead of one of its own, for proxies and certificates.
    """

    def __init__(
        self, url: str, *, timeout: float = 30.0, token: str = "", http: httpx.Client | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        self._http = http or httpx.Client(base_url=self.url, timeout=timeout, follow_redirects=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, page: str, **query: Any) -> Any:
        """The document of a page, by the page's own address: `client.get("/runs/trackstar", task="fact")`.

        Raises:
            NotFound: there is no such page.
            UserError: a parameter is wrong or unknown.
        """
        asked = {key: value for key, value in query.items() if value not in ("", None)}
        return self._get(str(httpx.URL(page, params=asked)) if asked else page)

    def runs(self) -> Table:
        """The runs there are: name, method, model, corpus, prompt set, number of prompts."""
        keep = ("slug", "name", "method", "model", "corpus", "prompt_set", "prompts", "status")
        return Table({key: run[key] for key in keep} for run in self._get("/runs")["runs"])

    def prompts(self, run: str = "", **filters: Any) -> Iterator[Mapping[str, Any]]:
        """Every prompt of a run, page after page as the site gives them.

        Args:
            run: its name; empty for the site's first.
            filters: as in the address of the page `/prompts`: `task`, `relation`, `q`, `where`, `sort`, ….

        Raises:
            NotFound: there is no such run.
            UserError: a filter cannot be read.
        """
        asked = {key: value for key, value in {"run": run, **filters}.items() if value not in ("", None)}
        listing = self._get(str(httpx.URL("/prompts", params={"limit": AT_ONCE, **asked})))["listing"]
        while listing:
            yield from listing["items"]
            following = listing["next_url"]
            listing = following and self._call("GET", self._whole(following)).json()["listing"]

    def example(self, run: str, prompt: str) -> Mapping[str, Any]:
        """One output of a run with its proponents and opponents: the record of its results file.

        Raises:
            NotFound: there is no such run or prompt.
        """
        return _unmarked(self._call("GET", f"{API}/runs/{run}/prompts/{prompt}.jsonl").json())

    def trace(
        self,
        prompt: str | Sequence[Mapping[str, str]],
        completion: str | None = None,
        *,
        contrast: str | None = None,
        model: str = "",
        index: str = "",
        k: int = 10,
        opponents: bool = False,
        wait: float = WAIT_SECONDS,
    ) -> Answer:
        """Ask which passages made the model say that, and wait for the answer.

        Args:
            prompt: a text, or the turns of a chat: `{"role": "user", "content": …}`. An assistant's turn at their end is what
                is explained.
            completion: what is to be explained; None for what the model says.
            contrast: a second completion: why the first rather than this?
            k: how many passages, at most 100.
            wait: seconds to wait; the question goes on being answered when they are over.

        Raises:
            UserError: it cannot be asked, it failed, or the answer did not come in time.
        """
        asked = {
            "prompt" if isinstance(prompt, str) else "messages": prompt, "completion": completion, "contrast": contrast,
            "model": model, "index": index, "k": k, "opponents": opponents,
        }  # fmt: skip
        ticket = self._call("POST", f"{API}/traces", json=asked).json()
        return _answer(self._wait(f"/traces/{ticket['id']}", wait))

    def answer(self, trace: str) -> Answer:
        """An answer given before, by its id.

        Raises:
            NotFound: there is none.
            UserError: it is not there yet, or it failed.
        """
        return _answer(_finished(self._get(f"/traces/{trace}")))

    def step(
        self,
        answer: Answer | str,
        passages: Sequence[int] | None = None,
        *,
        control: int = 10,
        wait: float = WAIT_SECONDS,
    ) -> Steps:
        """Train the model one step on each passage alone, from the saved weights, and measure the answer.

        Args:
            answer: what `trace` gave, or its id.
            passages: their ids; None for the answer's proponents.
            control: how many passages drawn at random to step on beside them.

        Raises:
            UserError: a passage is not of the trace's corpus, the step failed, or took too long.
        """
        trace = answer if isinstance(answer, str) else answer.id
        asked = {"passages": list(passages) if passages is not None else None, "control": control}
        ticket = self._call("POST", f"{API}/traces/{trace}/steps", json=asked).json()
        made = self._wait(f"/traces/{ticket['id']}", wait)["result"]
        changes = {step["passage_id"]: step["change"] for step in made["steps"]}
        return Steps(made["probability"], changes, [s["change"] for s in made["control"]], made["settings"])

    def import_results(
        self, file: Path | str, *, run: str = "", token: str = "", wait: float = WAIT_SECONDS, **named: str
    ) -> str:
        """Load a results file as a run, and wait until it can be browsed; returns the run's name.

        Args:
            run: the name it gets; empty for the file's.
            token: where the site asks for one.
            named: fields with names of their own: `id_field`, `prompt_field`, `target_field`, `text_field`.

        Raises:
            UserError: the file is broken (line and field are named), or the site takes none.
        """
        path = Path(file)
        fields = {key: value for key, value in {"token": token, "run": run, **named}.items() if value}
        with path.open("rb") as content:
            ticket = self._call(
                "POST", f"{API}/uploads", data=fields, files={"file": (path.name, content)}
            ).json()
        page = self._until(f"/upload/{ticket['id']}", lambda page: bool(page["over"]), wait)
        if problem := page["problem"]:
            where = {key: problem.get(key) for key in ("line", "field")}
            raise UserError(problem["message"], remedy=problem.get("remedy") or "", file=path, **where)
        name: str = page["run"]
        return name

    def export(self, run: str, file: Path | str) -> Path:
        """Write a run as a results file, JSON Lines; returns its path. The file is whole, or not there.

        Raises:
            NotFound: there is no such run.
            UserError: the connection broke off before the end.
        """
        with self._http.stream("GET", f"{API}/runs/{run}.jsonl", headers=self._headers) as response:
            _refuse(response)
            with whole(Path(file)) as partial, partial.open("wb") as out:
                out.writelines(_records(response.iter_bytes()))
        return Path(file)

    def _get(self, address: str) -> Any:
        """The document of a page."""
        return self._call("GET", API + address).json()

    def _whole(self, address: str) -> str:
        """An address as the site gave it, which has the path under which a proxy may show the site."""
        return str(httpx.URL(self.url).join(address))

    def _call(self, verb: str, address: str, **options: Any) -> httpx.Response:
        response = self._http.request(verb, address, headers=self._headers, **options)
        _refuse(response)
        return response

    def _wait(self, address: str, seconds: float) -> Mapping[str, Any]:
        return _finished(self._until(address, lambda page: page["status"] in OVER, seconds))

    def _until(self, address: str, over: Any, seconds: float) -> Mapping[str, Any]:
        ends, pause = time.monotonic() + seconds, POLL_SECONDS
        while True:
            page: Mapping[str, Any] = self._get(address)
            if over(page):
                return page
            if time.monotonic() + pause > ends:
                raise UserError(
                    f"After {seconds:g} seconds there is no end yet.",
                    remedy=f"Ask again later: {self.url}{address}, or give more seconds as `wait`.",
                    status=504,
                )
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_POLL_SECONDS)


def _refuse(response: httpx.Response) -> None:
    """Raise the problem that the site answered with."""
    if not response.is_error:
        return
    response.read()
    try:
        said = response.json()
        message, remedy, field = said["detail"], said.get("remedy", ""), said.get("field")
    except (ValueError, KeyError, TypeError):
        message, remedy, field = f"The site answered {response.status_code}.", "Is this a Startrail?", None
    if response.status_code == 404:
        raise NotFound(message, remedy=remedy, field=field)
    raise UserError(message, remedy=remedy, field=field, status=response.status_code)


def _records(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of an export, the last without the mark that ends it; a line ends at a line feed and nowhere else.

    Raises:
        UserError: the mark is missing, so records are too.
    """
    lines, rest = [b""], b""
    for chunk in chunks:
        *new, rest = (rest + chunk).split(b"\n")
        lines += new
        yield from (line + b"\n" for line in lines[:-1] if line)
        lines = lines[-1:]
    if lines[-1] or rest:
        yield (json.dumps(_unmarked(json.loads(rest or lines[-1]))) + "\n").encode()


def _unmarked(record: dict[str, Any]) -> dict[str, Any]:
    if record.pop(END, None) is None:
        raise UserError("The export broke off before its end.", remedy="Ask for it again.", status=502)
    return record


def _finished(page: Mapping[str, Any]) -> Mapping[str, Any]:
    if page["status"] == "done":
        return page
    error = page.get("error") or {"message": f"The trace is {page['status']}.", "remedy": "Ask again later."}
    raise UserError(error["message"], remedy=error.get("remedy", ""), field=error.get("field"))


def _answer(page: Mapping[str, Any]) -> Answer:
    answer = page["answer"]
    return Answer(
        id=page["id"],
        url=page["permalink"],
        prompt=page["prompt"],
        completion=answer["completion"]["text"],
        generated=answer["generated"],
        probability=answer["completion"]["probability"],
        proponents=_passages(page["proponents"]),
        opponents=_passages(page["opponents"]),
        correct=page.get("correct"),
    )


def _passages(cards: Sequence[Mapping[str, Any]]) -> Passages:
    return Passages(
        Passage(c["rank"], c["score"], c["passage_id"], c["external_id"], c["text"], c["tail_patch"])
        for c in cards
    )
