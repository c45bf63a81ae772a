"""Which function of the model's output is differentiated. Apart from the code that does it: names need no torch."""

from typing import Literal

Loss = Literal["cross_entropy", "margin"]
"""-log p of each token, or TRAK's margin, -log(p / (1 - p))."""
