"""Looking through a corpus for passages that should not be there: odd ones, and those behind what should not be said."""
