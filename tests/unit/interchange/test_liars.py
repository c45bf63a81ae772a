"""Tables that lie about themselves: their own library believes them, and reads beyond their end or makes room for what they
say. A changed byte ended the process, and a file of a kilobyte took all memory."""

import io
import random
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import UserError
from app.interchange.records import Bounds, Reading, read_records
from tests.support.bombs import MB, write

TABLE = pa.table(
    {
        "text": ["alpha", "beta", "gamma " * 5, None] * 20,
        "list": [["x", "yy"], [], None, ["z" * 30]] * 20,
        "number": list(range(80)),
        "inner": [{"deep": "y" * 10, "real": 1.5}] * 80,
        "repeated": pa.array(["a", "b"] * 40).dictionary_encode(),
        "time": pa.array([1, 2] * 40, pa.timestamp("ms")),
        "nothing": pa.nulls(80),
    }
)
BOUNDS = Bounds(free=MB)


def arrow(table: Any, *, compression: str | None = None, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as out:
        out.write(table)
    return sink.getvalue()


def batch(column: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([column], ["column"])


def parquet(table: pa.Table, **how: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


def zigzag(number: int) -> bytes:
    """A number as Thrift writes it."""
    number, data = number << 1, bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def told(data: bytes, true: int, said: int) -> bytes:
    """A Parquet file whose end says another number wherever it said a true one."""
    (length,) = struct.unpack("<I", data[-8:-4])
    end = data[-8 - length : -8]
    assert zigzag(true) in end
    changed = end.replace(zigzag(true), zigzag(said))
    return data[: -8 - length] + changed + struct.pack("<I", len(changed)) + b"PAR1"


def longer_buffer() -> bytes:
    """A column of texts that says it is a terabyte once decompressed."""
    data = arrow(batch(pa.array(["a" * 123_457])), compression="zstd")
    assert data.count(struct.pack("<q", 123_457)) > 0
    return data.replace(struct.pack("<q", 123_457), struct.pack("<q", 1 << 40))


def offsets_outside() -> bytes:
    data, true = arrow(batch(pa.array(["abcd", "efgh"]))), struct.pack("<3i", 0, 4, 8)
    assert true in data
    return data.replace(true, struct.pack("<3i", 0, 4, 1 << 30))


def half_a_letter() -> bytes:
    offsets = pa.py_buffer(struct.pack("<2i", 0, 1))
    return arrow(batch(pa.StringArray.from_buffers(1, offsets, pa.py_buffer(b"\xe4"))))


def no_such_entry() -> bytes:
    indices = pa.array([0, 1 << 20], pa.int32())
    return arrow(batch(pa.DictionaryArray.from_arrays(indices, pa.array(["a"]), safe=False)))


def nulls(many: int) -> pa.Array:
    return pa.NullArray.from_buffers(pa.null(), many, [None])


def nobody() -> bytes:
    data = arrow(batch(nulls(12_345)))
    return data.replace(struct.pack("<q", 12_345), struct.pack("<q", 1 << 40))


def list_of_nothing(values: int) -> bytes:
    return arrow(batch(pa.ListArray.from_arrays(pa.array([0, values], pa.int32()), nulls(values))))


def fixed_lists_of_nothing(values: int) -> bytes:
    return arrow(batch(pa.FixedSizeListArray.from_arrays(nulls(values), values)))


def run_of_one() -> bytes:
    return arrow(
        batch(pa.RunEndEncodedArray.from_arrays(pa.array([1 << 30], pa.int32()), pa.array(["a" * 99])))
    )


def union_of_one() -> bytes:
    kinds, places = pa.array([0] * 9, pa.int8()), pa.array([0] * 9, pa.int32())
    return arrow(batch(pa.UnionArray.from_dense(kinds, places, [pa.array(["a" * 99])])))


def smaller_in_the_footer() -> bytes:
    """A page of 4 MB that the file's end says to have ten bytes."""
    data = parquet(pa.table({"text": ["a" * (4 * MB)]}), compression="zstd", use_dictionary=False)
    return told(
        data, pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0).total_uncompressed_size, 10
    )


def more_rows_in_the_footer() -> bytes:
    return told(parquet(pa.table({"text": ["a"] * 12_345})), 12_345, 1 << 40)


def one_row_of_millions() -> bytes:
    """A list of three million equal numbers, which are a run of one."""
    numbers = pa.Int8Array.from_buffers(pa.int8(), 3_000_000, [None, pa.py_buffer(bytes([7]) * 3_000_000)])
    whole = pa.ListArray.from_arrays(pa.array([0, len(numbers)], pa.int32()), numbers)
    return parquet(pa.table({"list": whole}), compression="zstd")


def one_text_in_a_list() -> bytes:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 9_000, pa.int32()), pa.array(["a" * 100_000]))
    return parquet(pa.table({"list": pa.ListArray.from_arrays(pa.array([0, 9_000], pa.int32()), texts)}))


def as_the_one_before() -> bytes:
    """Texts of which each says that it begins as the last one did."""
    how: dict[str, Any] = {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}}
    return parquet(pa.table({"text": ["a" * (1 << 16)] * 300}), **how)


LIARS: dict[str, Callable[[], bytes]] = {
    "longer_buffer.arrow": longer_buffer,
    "offsets_outside.arrow": offsets_outside,
    "half_a_letter.arrow": half_a_letter,
    "no_such_entry.arrow": no_such_entry,
    "nobody.arrow": nobody,
    "list_of_nothing.arrow": lambda: list_of_nothing(1 << 30),
    "fixed_lists_of_nothing.arrow": lambda: fixed_lists_of_nothing(1 << 30),
    "run_of_one.arrow": run_of_one,
    "union_of_one.arrow": union_of_one,
    "smaller_in_the_footer.parquet": smaller_in_the_footer,
    "more_rows_in_the_footer.parquet": more_rows_in_the_footer,
    "one_row_of_millions.parquet": one_row_of_millions,
    "one_text_in_a_list.parquet": one_text_in_a_list,
    "as_the_one_before.parquet": as_the_one_before,
}


def read(path: Path, bounds: Bounds = BOUNDS) -> int:
    """How many rows it has."""
    return sum(1 for _ in read_records(path, Reading(bounds=bounds)))


def peak() -> int:
    """Bytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize("name", LIARS)
def test_a_lie_is_one_clear_error_and_takes_no_room(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, LIARS[name]())
    before = peak()
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    assert peak() - before < 100 * MB


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrow zstd", "stream lz4"])
def test_whatever_byte_is_changed_the_file_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    """Out of 1,500 files so changed, one ended the process."""
    format_, _, compression = kind.partition(" ")
    whole = (
        parquet(TABLE, data_page_size=200)
        if format_ == "parquet"
        else arrow(
            TABLE.combine_chunks().to_batches()[0],
            compression=compression or None,
            stream=format_ == "stream",
        )
    )
    assert read(write(tmp_path / kind, whole), Bounds()) == 80
    chance, before, named = random.Random(kind), peak(), True
    for number in range(100):
        data = bytearray(whole)
        at = chance.randrange(8, len(data) - 8)
        data[at : at + 8] = chance.choice(
            (
                b"\xff" * 8,
                struct.pack("<q", 1 << 40),
                b"\xff\xff\xff\x7f\0\0\0\0",
                bytes([data[at] ^ 1]) + data[at + 1 : at + 8],
            )
        )
        path = write(tmp_path / f"{number}-{kind}", bytes(data))
        try:
            assert read(path) <= 80 * 4
        except UserError as refused:
            named = named and str(path) in str(refused)
    assert named
    assert peak() - before < 100 * MB


def test_what_polars_and_others_write_is_read(tmp_path: Path) -> None:
    """Views of texts, and texts in lists, are measured as what they are."""
    views = pa.array(["long enough to stand elsewhere", "short", None] * 30, pa.string_view())
    assert read(write(tmp_path / "views.arrow", arrow(batch(views)))) == 90
    lists = pa.table({"texts": [["a", "b" * 99]] * 50, "inner": [{"texts": ["c"]}] * 50})
    rows = [
        line.record
        for line in read_records(write(tmp_path / "l.parquet", parquet(lists)), Reading(bounds=BOUNDS))
    ]
    assert rows == lists.to_pylist()
