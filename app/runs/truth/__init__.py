"""The leave-out experiment: many small models trained without parts of a corpus, and what each method foretold of them."""
