"""Requests that nobody means, made from the application's own routes: every parameter gets values of every kind.

Equal seeds give equal requests, so that what was found once is found again.
"""

import json
from collections.abc import Iterator
from random import Random
from string import Formatter
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute, iter_route_contexts

from tests.support.routes import Values

NUMBERS = (
    "0", "1", "2", "-1", "-2", "00", "1.5", "-0.0", "1e3", "1e400", "nan", "inf", "-inf", "0x10", "1_0", "٣", "²", "+1",
    "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "1" * 30, "1" * 5000,
)  # fmt: skip
TEXTS = (
    "", " ", "abc", "null", "None", "true", "no", "%", "%%", "_", "'", '"', "\\", "--", ";", "a,b", ",", ",,,", "a" * 300,
    "é" * 2500, "\0", "a\0b", "\n", "\r\nX: y", "\x1b[31m", "\ufffe", "\U0010ffff", "日本", "عربي", "..", "../..", "/", "a/b",
    "<script>", "{{7*7}}", "$(id)", "' OR 1=1 --", "*", "**", "(", ")", "((((", "[", "{}", "NEAR(", "a NOT b", "AND", '"a',
    "fact", "yes", "high", "low", "score", "frequency", "proponent", "opponent", "tokens", "verbatim", "entities", "mrr",
    'task = "fact"', "frequency > 1e308", "frequency = 99999999999999999999", "probability >= 0.5 and", "not " * 40 + "correct",
    "frequency in (1, 9223372036854775808)", 'relation contains "\0"', "2.1", "1.", ".1", "1.99999999999",
)  # fmt: skip
BYTES = ("%ff", "%ed%a0%80", "%00", "%", "%2e%2e%2f", "+", "&", "%c0%af")  # as they stand in a URL
NAMES = ("q", "where", "x", "", "run", "run[]", "__proto__")  # besides those that the routes know


def requests(app: FastAPI, values: Values, seed: int) -> Iterator[tuple[str, str, dict[str, object]]]:
    """(method, address, what httpx sends with it), without end; parameters of paths are often right, so that what lies
    behind them is reached."""
    random = Random(seed)
    known = [
        ((route.path or "").replace(":path}", "}"), route.original_route)
        for route in iter_route_contexts(app.routes)
    ]
    pages = [(path, route) for path, route in known if isinstance(route, APIRoute)]
    while True:
        path, route = random.choice(pages)
        in_path = [name for _, name, _, _ in Formatter().parse(path) if name]
        asked = [field.alias for field in get_flat_params(route.dependant) if field.alias not in in_path]
        for name in in_path:
            said = random.choice(values[name]) if name in values and random.random() < 0.7 else _text(random)
            path = path.replace(
                "{" + name + "}", quote(said, safe="") if random.random() < 0.95 else random.choice(BYTES)
            )
        pairs = [
            (name, random.choice(values[name]) if name in values and random.random() < 0.4 else _text(random))
            for name in random.choices([*asked * 3, *NAMES], k=random.choice((0, 1, 1, 2, 3, 6)))
        ]
        query = urlencode(pairs, errors="replace")
        if random.random() < 0.1:
            query += f"&{random.choice(asked or ['q'])}={random.choice(BYTES)}"
        method = random.choice(sorted(route.methods or ()))
        sent = {} if method == "GET" else _body(random, values)
        yield method, f"{path}?{query}" if query else path, sent | {"headers": _headers(random, sent)}


def _text(random: Random) -> str:
    return random.choice(NUMBERS) if random.random() < 0.5 else random.choice(TEXTS)


def _value(random: Random, depth: int = 0) -> object:
    """Anything that JSON can say."""
    kind = random.randrange(8 if depth < 3 else 6)
    plain = (
        None,
        True,
        random.choice((0, -1, 1.5, 2**31, 2**63, 1e308)),
        "\ud800",
        _text(random),
        "The capital of",
    )
    if kind < len(plain):
        return plain[kind]
    many = [_value(random, depth + 1) for _ in range(random.choice((0, 1, 3)))]
    return many if kind == 6 else {_text(random): each for each in many}


def _body(random: Random, values: Values) -> dict[str, object]:
    names = ("prompt", "completion", "span", "contrast", "model", "index", "k", "samples", "passages", "control", "since",
             "view", "token", "passage", "url", "preset", "run", "opponents", "kind")  # fmt: skip
    fields = {name: _value(random) for name in random.sample(names, random.choice((0, 1, 2, 4)))}
    if random.random() < 0.5:
        fields["prompt"] = "The capital of France is"
    kind = random.randrange(5)
    if kind == 0:
        return {"content": json.dumps(fields)}
    if kind == 1:
        return {
            "content": random.choice((b"", b"[", b"[]", b"\xff", b"null", b"[" * 9000, b'{"prompt": 1e999}'))
        }
    if kind == 2:
        return {"files": {"file": (_text(random), random.choice((b"", b"{}\n", b"\x1f\x8b", b"\0" * 99)))}}
    return {"data": {name: _sendable(value) for name, value in fields.items()}}


def _sendable(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _headers(random: Random, sent: dict[str, object]) -> dict[str, str]:
    headers = {}
    if random.random() < 0.2:
        headers["HX-Request"] = "true"
    if random.random() < 0.1:
        headers["If-None-Match"] = random.choice(('"', "*", 'W/"x"', ",,,"))
    if random.random() < 0.1:
        headers["Range"] = random.choice(("bytes=0-0", "bytes=9-1", "x"))
    if random.random() < 0.1:
        headers["Content-Length"] = random.choice(("-1", "x", "9" * 30, "0"))
    if "content" in sent and random.random() < 0.5:
        headers["Content-Type"] = random.choice(
            ("application/json", "text/plain", "multipart/form-data", f"multipart/form-data; boundary={'b' * 300}",
             "multipart/form-data; boundary=", "application/x-www-form-urlencoded; charset=x",
             'multipart/form-data; boundary="{"')
        )  # fmt: skip
    return headers
