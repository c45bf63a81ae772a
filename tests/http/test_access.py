"""Who may do what, on every route that the application has; and what is private leaks by none of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store import tokens
from app.store.engine import open_store
from app.web.site.urls import API
from tests.support.databases import DATABASES, filled_database
from tests.support.needs import NEEDS
from tests.support.routes import filled, routes
from tests.support.seeded import fill
from tests.support.sites import site
from tests.support.vault import HIDDEN_RUNS, MARK, ONLY, Vault, fill_vault

Filled = tuple[str, Vault]
ROLES = ("nobody", "read", "ask", "import", "metrics", "admin")
# What a reader of each kind of site may do without a name.
EVERYBODY = {"open": {"read", "ask", "import"}, "read": {"read"}, "private": set()}


@pytest.fixture(scope="module", params=DATABASES)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Filled:
    """A database with public and hidden things in it, only read."""
    made: list[Vault] = []

    def fill_both(session: Any) -> None:
        fill(session, prompts=6, passages=60)
        made.append(fill_vault(session))

    url = filled_database(request, tmp_path_factory.mktemp("vault"), migrated_sqlite, fill_both)
    return url, made[0]


def values(vault: Vault) -> dict[str, list[str]]:
    """What stands in addresses: hidden things, and public ones beside which they might show."""
    runs = [*HIDDEN_RUNS, "trackstar"]
    found = {
        "slug": runs, "run": runs, "prompt": [*vault.prompts[:1], vault.prompts[2], "capital-china"],
        "id": [*vault.passages[:1], "1", "2"], "trace_id": vault.traces, "id_": ["0" * 12], "kind": ["bib", "txt"],
        "/finds/{kind}:kind": ["words-mislead", "taught-by-another", "known-from-one"],
        "/sitemap-{id}.xml:id": ["0", "1"], "/models/{name}:name": ["demo-4m"],
        "/corpora/{name}:name": ["vault", "demo"],
    }  # fmt: skip
    of_prompts = ("/compare/{slug}:slug", "/compare/{slug}/card.png:slug")
    found |= {key: [vault.prompts[0], "capital-china"] for key in of_prompts} | {"batch_id": ["2" * 12]}
    return found | {f"{API}{key}": each for key, each in found.items() if ":" in key}


def queries(path: str) -> list[str]:
    """Ways to ask a page for more than it shows first."""
    path = path.removeprefix(API)
    if path.startswith(("/prompts", "/random", "/go", "/evaluation/prompts")):
        return ["", f"?q={ONLY}", "?run=attic&n=1", f"?run=vault&q={ONLY}", "?sort=score"]
    if path.startswith("/compare"):
        return ["", "?runs=vault,attic", "?runs=trackstar,link"]
    if path == "/oembed":
        return [f"?url=http://testserver/runs/{run}/prompts/x" for run in HIDDEN_RUNS]
    return [""]


@pytest.mark.slow
def test_what_is_hidden_leaks_by_no_route(world: Filled, tmp_path: Path) -> None:
    """Search, facets, counts, JSON, feeds, cards, exports: whoever has no name learns of none of it."""
    url, vault = world
    with site(url, tmp_path) as client:
        leaks, asked = told_of(client, vault)
    assert not leaks
    assert asked > 200


def told_of(client: TestClient, vault: Vault) -> tuple[list[tuple[str, int]], int]:
    """Every address that tells of hidden things, and how many were asked."""
    leaks, asked = [], 0
    for _, path in routes(client.app, "GET"):  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        for address in filled(path, values(vault)):
            drawn = path.endswith("card.png") and not _names_hidden(address, vault)
            for query in [] if drawn else queries(path):
                answer = client.get(address + query, follow_redirects=False)
                asked += 1
                assert answer.status_code < 500 or "/readyz" in path, (address, answer.text[:500])
                told = answer.text + answer.headers.get("location", "")
                if MARK in told or (_names_hidden(address, vault) and answer.status_code == 200):
                    leaks.append((address + query, answer.status_code))
    return leaks, asked


def _names_hidden(address: str, vault: Vault) -> bool:
    """Whether the address itself is of something hidden; compared by prompt, only the runs in the query are."""
    parts = (address.removeprefix(API) or "/").split("/")
    hidden = {
        *HIDDEN_RUNS,
        *vault.traces,
        *(f"{name}.{kind}" for name in HIDDEN_RUNS for kind in ("csv", "jsonl", "json")),
    }
    passage = parts[1] == "passages" and re.split(r"[./]", parts[2])[0] in vault.passages
    return passage or (parts[1] in ("runs", "traces", "corpora") and len(parts) > 2 and parts[2] in hidden)


def test_counts_are_of_what_is_shown(world: Filled, tmp_path: Path) -> None:
    with site(world[0], tmp_path) as client:
        runs = {run["slug"] for run in client.get("/runs.json").json()["runs"]}
        assert not runs & set(HIDDEN_RUNS)
        corpora = {each["name"] for each in client.get("/corpora.json").json()["items"]}
        assert "vault" not in corpora
        model = client.get("/models/demo-4m.json").json()
        assert model["run_count"] == len(runs)


@pytest.mark.slow
def test_whoever_has_a_name_sees_runs_and_corpora_and_an_admin_sees_traces(
    world: Filled, tmp_path: Path
) -> None:
    url, vault = world
    with site(url, tmp_path) as client:
        for role in ("read", "admin"):
            head = vault.bearer(role)
            for run in HIDDEN_RUNS:
                assert MARK in client.get(f"/runs/{run}", headers=head).text
            assert MARK in client.get(f"/passages/{vault.passages[0]}", headers=head).text
            assert "vault" in client.get("/corpora.json", headers=head).text
            answer = client.get(f"/traces/{vault.traces[1]}.json", headers=head)
            assert answer.status_code == (200 if role == "admin" else 404)


def test_a_secret_link_opens_what_it_is_of_and_nothing_else(world: Filled, tmp_path: Path) -> None:
    url, vault = world
    with site(url, tmp_path) as client:
        assert client.get("/runs/link?key=guessed").status_code == 404
        assert MARK in client.get(f"/runs/link?key={vault.secret}").text
        assert MARK in client.get("/runs/link").text  # the browser remembers
        assert MARK in client.get(f"/runs/link/prompts/{vault.prompts[4]}").text
        for run in ("vault", "attic"):
            assert client.get(f"/runs/{run}").status_code == 404
        assert client.get("/runs/link").headers["cache-control"].startswith("private")
        client.cookies.clear()
        assert client.get("/runs/link").status_code == 404


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # no right depends on the database
@pytest.mark.slow
@pytest.mark.parametrize(("access", "roles"), [("open", ROLES[:1]), ("read", ROLES[:2]), ("private", ROLES)])
def test_every_route_asks_for_its_right(
    world: Filled, tmp_path: Path, access: str, roles: tuple[str, ...]
) -> None:
    """The matrix of roles and routes: refused are 401 to nobody and 403 to a name, and nothing else is."""
    url, vault = world
    with site(url, tmp_path, access=access) as client:
        check_matrix(client, vault, access, roles)


def check_matrix(client: TestClient, vault: Vault, access: str, roles: tuple[str, ...]) -> None:
    wrong, known = [], set()
    for method, path in routes(client.app, "GET", "POST"):  # type: ignore[arg-type]  # TestClient.app is typed as any ASGI application
        named = f"{method} {path.removeprefix(API)}"
        known.add(named)
        need = NEEDS.get(named, "read" if method == "GET" else "unheard of")
        address = next(filled(path, values(vault)))
        for role in roles:
            may = EVERYBODY[access] | ({role} if role != "admin" else {"admin", need}) | {"nothing"}
            answer = client.request(method, address, headers=vault.bearer(role), follow_redirects=False)
            refused = answer.status_code == 401 or (
                answer.status_code == 403 and "among the rights" in answer.text
            )
            signing_in = path == "/sign-in" and method == "POST"  # without a token, it says so
            if refused != (need not in may) and not signing_in:
                wrong.append((method, path, role, answer.status_code))
            if refused and not signing_in:
                assert answer.status_code == (401 if role == "nobody" else 403)
    assert not wrong
    assert set(NEEDS) <= known, "a route is gone: take it off the list"


def test_a_person_is_led_to_the_sign_in_and_back(world: Filled, tmp_path: Path) -> None:
    """Without a script: a form, a cookie that no script reads, and where one wanted to go."""
    url, vault = world
    with site(url, tmp_path, access="private") as client:
        page = {"Accept": "text/html"}
        led = client.get("/runs?method=bm25", headers=page, follow_redirects=False)
        assert led.headers["location"] == "/sign-in?next=%2Fruns%3Fmethod%3Dbm25"
        assert client.get("/runs.json").headers["www-authenticate"].startswith("Bearer")
        refused = client.post("/sign-in", data={"token": "startrail_wrong", "next": "/runs"})
        assert refused.status_code == 401
        assert "not good here" in refused.text
        for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
            given = {"token": vault.tokens["read"], "next": elsewhere}
            assert client.post("/sign-in", data=given, follow_redirects=False).headers["location"] == "/"
        client.cookies.clear()
        given = {"token": vault.tokens["read"], "next": "/runs?method=bm25"}
        back = client.post("/sign-in", data=given, follow_redirects=False)
        assert back.headers["location"] == "/runs?method=bm25"
        cookie = back.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert vault.tokens["read"] not in back.headers["set-cookie"]
        assert client.get("/runs").status_code == 200
        assert client.get("/runs").headers["cache-control"].startswith("private")
        assert client.post("/sign-out").status_code == 401  # home, which is closed again
        assert client.get("/runs.json").status_code == 401


def test_the_cookie_is_secure_behind_tls_and_ends_with_its_token(store_url: str, tmp_path: Path) -> None:
    store = open_store(store_url)
    with store.session() as session:
        secret = tokens.add(session, "someone", ["read"], expires_at=None)
    with site(store_url, tmp_path, access="private") as client:
        sent = {"X-Forwarded-Proto": "https"}
        client.app.state.settings.trusted_proxies = ("testclient",)  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
        answer = client.post(
            "https://testserver/sign-in", data={"token": secret}, headers=sent, follow_redirects=False
        )
        assert "; Secure" in answer.headers["set-cookie"]
        assert client.get("https://testserver/about.json").status_code == 200
        with store.session() as session:
            assert tokens.all_of(session)[0].used_at is not None
            assert secret not in str([vars(each) for each in tokens.all_of(session)])
            tokens.revoke(session, "someone")
        assert client.get("https://testserver/about.json").status_code == 401
        assert client.get("/about.json", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    store.engine.dispose()


@pytest.fixture
def store_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """An empty database."""
    path = tmp_path / "own.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite:///{path}"


def test_a_proxy_that_signs_people_in_is_believed_and_nobody_else(world: Filled, tmp_path: Path) -> None:
    said = {"access": "private", "signin_header": "X-Remote-User", "admins": ["ada"]}
    sent = {"X-Remote-User": "ada"}
    with site(world[0], tmp_path, **said) as client:
        refused = client.get("/about.json", headers=sent)
        assert refused.status_code == 401, "the test's client is no proxy of ours"
        from_proxy = TestClient(client.app, client=("127.0.0.1", 1))
        assert from_proxy.get("/about.json").status_code == 401
        assert from_proxy.get("/about.json", headers={"X-Remote-User": "bob"}).status_code == 200
        assert from_proxy.get("/admin.json", headers={"X-Remote-User": "bob"}).status_code == 403
        assert from_proxy.get("/admin.json", headers=sent).status_code == 200


@pytest.mark.slow
def test_uploading_is_off_where_strangers_could_come(world: Filled, tmp_path: Path) -> None:
    for host, access, on in [
        ("127.0.0.1", "open", True), ("::1", "open", True), ("0.0.0.0", "open", False), ("10.0.0.5", "open", False),
        ("0.0.0.0", "read", True),  # with a token then
    ]:  # fmt: skip
        with site(world[0], tmp_path, host=host, access=access) as client:
            assert client.get("/upload.json").json()["enabled"] is on
    with site(world[0], tmp_path, host="0.0.0.0", upload_enabled=True) as client:
        assert client.get("/upload.json").json()["enabled"]
