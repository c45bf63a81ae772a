"""What models of 1, 8 and 70 billion parameters over 10 million and 1 billion passages would cost: a plan on paper.

    python benchmarks/costs.py [--tokens 438] [--teraflops 989] [--used 0.35] [--cores 64]

Nothing is measured here. Counted from the shapes of the models and of the index; the rates are those that other benchmarks
measured (named beside them) and data sheets; every assumption is an option. Prints the table of docs/scale.md.
"""

import argparse
import math
from dataclasses import dataclass

ENCODING = (
    1 / 1.26
)  # of forward+backward of the same passages: `benchmarks/encode.py`, float32, equal lengths
SMALLER = 15.7  # a code of rabitq2 against a row of float32: `benchmarks/search.py`
GIGA, TERA = 1e9, 1e12


@dataclass(frozen=True)
class Shape:
    """A decoder of Llama's kind and the index that it would get; d = groups · 2 · p², as the paper's 65,536 for 8 billion."""

    name: str
    parameters: float
    hidden: int
    inner: int
    keys: int  # width of keys and of values
    layers: int
    groups: int
    projection: int

    @property
    def dimension(self) -> int:
        """Numbers in a row."""
        return self.groups * 2 * self.projection**2

    @property
    def hessian_bytes(self) -> float:
        """R of every block, float32."""
        return self.groups * 2 * self.projection**4 * 4

    @property
    def factor_bytes(self) -> float:
        """EK-FAC's two Kronecker factors of every weight, float32."""
        square = 2 * 2 * self.hidden**2 + 2 * (self.hidden**2 + self.keys**2)
        square += 3 * (self.hidden**2 + self.inner**2)
        return 4.0 * self.layers * square


@dataclass(frozen=True)
class Assumed:
    """What the plan takes for granted."""

    tokens: float = 438  # of a passage: the paper's 160 billion over 365 million
    query: float = 32  # tokens of a question
    teraflops: float = 989  # of a device: H100, bfloat16, dense
    used: float = 0.35  # of these, by forward+backward of a large model
    device_gb: float = 80
    bandwidth: float = 3.35  # TB/s of a device's memory
    cores: int = 64  # of a server that scans codes
    scan: float = 2.0  # GB/s of codes a core: `benchmarks/search.py` saw 4.3 on two


SHAPES = (
    Shape("1 B", 1.24e9, 2048, 8192, 512, 16, 8, 32),
    Shape("8 B", 8.03e9, 4096, 14336, 1024, 32, 8, 64),
    Shape("70 B", 70.6e9, 8192, 28672, 1024, 80, 8, 64),
)
PASSAGES = (10_000_000, 1_000_000_000)
HEAD = (
    "| model | passages | numbers a row | encoding, GPU hours | float16 rows | codes (rabitq2) | R | EK-FAC factors"
    " | question on the GPU | exact search, GPUs | codes on one server |"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("tokens", "teraflops", "used"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Assumed, name))
    parser.add_argument("--cores", type=int, default=Assumed.cores)
    print(table(Assumed(**vars(parser.parse_args()))))


def table(assumed: Assumed) -> str:
    """The plan in Markdown, a row for each model and corpus."""
    rows = [row(shape, passages, assumed) for shape in SHAPES for passages in PASSAGES]
    return "\n".join([HEAD, "|---|" + "---:|" * 10, *rows])


def row(shape: Shape, passages: int, assumed: Assumed) -> str:
    """One model over one corpus."""
    flops = 6 * shape.parameters * assumed.tokens * passages * ENCODING
    hours = flops / (assumed.teraflops * TERA * assumed.used) / 3600
    exact, codes = passages * shape.dimension * 2, passages * shape.dimension * 4 / SMALLER
    devices = math.ceil(exact / (0.9 * assumed.device_gb * GIGA))
    # Alone, a question waits for the weights to be read: once forward, twice backward, in bfloat16.
    read = 3 * 2 * shape.parameters / (0.6 * assumed.bandwidth * TERA)
    computed = 6 * shape.parameters * assumed.query / (assumed.teraflops * TERA * assumed.used)
    searched = exact / devices / (0.6 * assumed.bandwidth * TERA)
    scanned = codes / (assumed.scan * assumed.cores * GIGA)
    cells = (
        shape.name,
        f"{passages:,}",
        f"{shape.dimension:,}",
        f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}",
        size(exact),
        size(codes),
        size(shape.hessian_bytes),
        size(shape.factor_bytes),
        duration(max(read, computed)),
        f"{devices:,}: {duration(searched)}",
        duration(scanned),
    )
    return "| " + " | ".join(cells) + " |"


def size(count: float) -> str:
    """Bytes in the unit that people say them in."""
    for unit, one in (("TB", TERA), ("GB", GIGA)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    """Milliseconds, or seconds where it is many."""
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{1000 * seconds:,.0f} ms"


if __name__ == "__main__":
    main()
