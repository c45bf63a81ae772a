"""Every route of the application, as the application itself knows it, and addresses that fill its parameters.

A test that walks routes must not fall behind them: a parameter that nobody gave values to is an error here.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from string import Formatter

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.web.site.urls import API

Values = Mapping[str, Sequence[str]]


def routes(app: FastAPI, *methods: str) -> list[tuple[str, str]]:
    """(method, path with its parameters) of every route that answers one of the methods, mounts left out."""
    return [
        (method, (route.path or "").replace(":path}", "}"))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
        if method in methods
    ]


def page_of(path: str) -> str:
    """The page whose twin or file the path is."""
    page, _, kind = path.removeprefix(API).rpartition(".")
    return page if kind in ("json", "csv", "jsonl", "parquet") else path.removeprefix(API)


def filled(path: str, values: Values) -> Iterator[str]:
    """The path with every combination of its parameters' values; those of `path:name` go before those of `name`.

    Raises:
        KeyError: a parameter has no values: say in the test which.
    """
    names = [name for _, name, _, _ in Formatter().parse(path) if name]
    page = page_of(path)
    choices = [values.get(f"{page}:{name}") or values[name] for name in names]
    for chosen in product(*choices):
        yield path.format(**dict(zip(names, chosen, strict=True)))
