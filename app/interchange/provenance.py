"""What a corpus was read from: the files, on the hub at one commit, and the options that decided what was taken of them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from pathlib import PurePath
from typing import Any

from app.interchange.fields import Fields
from app.interchange.records import Reading
from app.interchange.records.hub import HUB, page_of, pinned, same_place
from app.interchange.records.sources import STDIN
from app.interchange.sift import Sift

FILES, HOW = "files", "how"
NAMED = 20  # files that are named; of more, these and how many


def pin(files: Sequence[str], begun: Mapping[str, Any]) -> list[str]:
    """The files, those on the hub at one commit: that at which they were begun to be read, or that of this moment.

    Args:
        begun: what `read_from` said when the same was begun; empty: it was not.

    Raises:
        UserError: the hub cannot be reached, or has no such data set.
    """
    known = [str(each) for each in begun.get(FILES, ())]
    return [next((old for old in known if same_place(old, each)), None) or pinned(each) for each in files]


def read_from(
    files: Sequence[str], reading: Reading, fields: Fields, sift: Sift, after: str = ""
) -> dict[str, Any]:
    """What pages say of it: names without the folders of this machine, and every option that is not the usual one.

    Args:
        after: the corpus whose passages come before those of the files.
    """
    shown = [each if each.startswith(HUB) else _name(each) for each in files]
    more = [f"and {len(shown) - NAMED:,} more"] if len(shown) > NAMED else []
    how = _given(fields, "_field", "id", "text", "prompt", "target") | _given(fields, "", "form")
    how |= _given(reading, "", "format", "split", "passages")
    how |= _given(sift, "", "limit", "sample", "dedup", "chunk_tokens")
    if sift.sample is not None:
        how["seed"] = sift.seed
    if sift.chunk_tokens and sift.tokenizer:
        how["tokenizer"] = sift.tokenizer.parent.name
    if after:
        how["after"] = after
    if sift.left_out:
        how["left_out"] = len(sift.left_out)
    return {FILES: [*shown[:NAMED], *more]} | ({HOW: how} if how else {})


def hub_page(files: Sequence[str]) -> str:
    """The address of the data set that the passages come from; empty where they do not come from the hub."""
    return next((page_of(each) for each in files if each.startswith(HUB)), "")


def _name(file: str) -> str:
    return "standard input" if file == STDIN else PurePath(file.rstrip("/")).name or file


def _given(options: Any, suffix: str, *names: str) -> dict[str, Any]:
    """Those of a dataclass's fields that are not as they are by default."""
    return {
        each.name + suffix: value
        for each in fields_of(options)
        if each.name in names and (value := getattr(options, each.name)) != each.default
    }
