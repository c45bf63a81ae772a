"""Whose gradients are taken of a model with an adapter. Apart from the code that does it: names need no torch."""

OWN, MERGED = "own", "merged"
ADAPTERS = {OWN: "the adapter's own matrices A and B", MERGED: "the weights with the adapter merged in"}
SAID = "; ".join(f"{way}, {whose}" for way, whose in ADAPTERS.items())
