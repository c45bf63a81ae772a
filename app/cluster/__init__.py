"""Several machines, or several devices of one, by Ray: they share out work in pieces, and hold an index's rows together."""
