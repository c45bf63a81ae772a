"""Several machines, or several devices of one, by Ray: they encode a corpus together, and hold an index's rows together."""
