"""The embedded world: a generated corpus, a tiny pretraining run, and prompts about it."""
