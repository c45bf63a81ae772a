"""Which function of the model's output is differentiated. Apart from the code that does it: names need no torch."""

from typing import Literal

Loss = Literal["cross_entropy", "margin", "logit"]
"""Of each token -log p, TRAK's margin -log(p / (1 - p)), or its logit with a minus: the three output functions of Chang et al."""
