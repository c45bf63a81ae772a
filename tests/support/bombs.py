"""Files that are small and ask for much, made in a moment: what repeats is compressed once."""

import bz2
import gzip
import io
import json
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.record_files import zstd

MB = 1 << 20
RECORD = {"text": "a" * 4000, "prompt": "p", "target": "t", "inputs_plaintext": "p", "targets_plaintext": "t"}
LINES = 1000 * (json.dumps(RECORD).encode() + b"\n")

# Each gives several members one after another, which together are one file.
PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


def one_line(pack: str = "gz", size: int = 1024 * MB) -> bytes:
    """A record of one text, a gigabyte long, in a megabyte."""
    part = PACKS[pack](b"a" * (16 * MB))
    return PACKS[pack](b'{"text": "') + part * (size // (16 * MB)) + PACKS[pack](b'"}\n')


def many_lines(pack: str = "gz", size: int = 256 * MB) -> bytes:
    """Good records, a hundred and more for each byte's worth of file."""
    return PACKS[pack](LINES) * (size // len(LINES))


def overlapping(members: int = 400) -> bytes:
    """An archive whose files are all the same bytes of it: few megabytes each, gigabytes together."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.jsonl", LINES)
    whole = sink.getvalue()
    start = whole.index(b"PK\x01\x02")
    entry = whole[start : whole.index(b"PK\x05\x06")]
    directory = entry * members
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members, members, len(directory), start, 0)
    return whole[:start] + directory + end


def long_directory(entries: int = 200_000) -> bytes:
    """An archive of nothing but names."""
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\x01\x02", *(20, 0, 20, 0), 0, 0, 0, 0, 0, *(0, 0), 1, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"x") * entries
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFE, 0xFFFE, len(directory), 4, 0)
    return b"PK\x03\x04" + directory + end


def repeated_text(rows: int = 500, size: int = MB) -> bytes:
    """A table whose every row is the same megabyte, which stands in it once."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows), pa.array(["a" * size]))
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": column}), sink)
    return sink.getvalue()


def one_cell(size: int = 256 * MB) -> bytes:
    """A table of one row that is one text."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a" * size]}), sink, compression="zstd", use_dictionary=False)
    return sink.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
