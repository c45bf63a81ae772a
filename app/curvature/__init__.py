"""EK-FAC: what a passage does to an answer, exactly up to the curvature, with no projection and no seed."""
